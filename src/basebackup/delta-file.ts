/** What names the content of a file in the store, as node:crypto calls it: BLAKE2s with 256 bits, without a key. */
export const fileHash = 'blake2s256';

/** Up to this size a file's content stands in the manifest itself. */
export const embeddedBytesMax = 150;

/** A file of the data directory as the manifest of a delta backup lists it. The content is where exactly one of the three says. */
export interface DeltaFile {
  /** Below PGDATA. */
  readonly path: string;
  readonly size: number;
  readonly mtimeNs: number;
  readonly content: { readonly in: 'bundle' } | { readonly in: 'manifest'; readonly base64: string } | DeltaContent;
}

/** Content that is an object of its own, found by its hash. */
export interface DeltaContent {
  readonly in: 'store';
  readonly hexdigest: string;
  readonly storedBytes: number;
}

/** As JSON. The original's reader refuses names it does not know. */
export function describeDeltaFile({ path, size, mtimeNs, content }: DeltaFile): string {
  return JSON.stringify({
    relative_path: path,
    file_size: size,
    stored_file_size: content.in === 'store' ? content.storedBytes : 0,
    mtime_ns: mtimeNs,
    hexdigest: content.in === 'store' ? content.hexdigest : '',
    content_b64: content.in === 'manifest' ? content.base64 : null,
    should_be_bundled: content.in === 'bundle',
    // What lies at the top of PGDATA does not come and go.
    missing_ok: path.includes('/'),
  });
}

/** What the original's format has no place for. */
export interface CommonAttributes {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** Nanoseconds since 1970, as exact as a number can be: to about a quarter of a microsecond. */
export function mtimeNsOf(mtimeMs: number): number {
  return Math.floor(mtimeMs * 1e6);
}

export function sameAttributes(a: CommonAttributes, b: CommonAttributes): boolean {
  return a.mode === b.mode && a.uid === b.uid && a.gid === b.gid;
}
