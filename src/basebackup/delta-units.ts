import { tarBlockBytes, tarPaddingOf } from '../tar/header.ts';
import { embeddedBytesMax, sameAttributes } from './delta-file.ts';
import type { ClusterAttributes } from './delta-manifest.ts';
import type { FoundEntry } from './walk.ts';

/** A piece of work for one worker. Paths of bundled members are those in the archive; those of other files are below PGDATA. */
export type DeltaUnit =
  | { readonly kind: 'bundle'; readonly members: readonly FoundEntry[] }
  | { readonly kind: 'file'; readonly entry: FoundEntry }
  | { readonly kind: 'embedded'; readonly entries: readonly FoundEntry[] };

export interface DeltaRules {
  readonly fileBytesMin: number;
  readonly bundleBytes: number;
  readonly bundleMembersMax: number;
  readonly attributes: ClusterAttributes;
  /** A directory of PGDATA, below which it is named; `.` for itself. */
  readonly onDirectory: (path: string) => Promise<void>;
}

const embeddedPerUnit = 500;
const data = 'pgdata/';

/**
 * Divides a walk. Files of PGDATA are embedded, bundled or on their own by their size. Bundles also take what has no place elsewhere in the
 * format: tablespaces, links, and what has another mode or owner than the rest.
 */
export async function* splitIntoDeltaUnits(entries: AsyncIterable<FoundEntry>, rules: DeltaRules): AsyncGenerator<DeltaUnit> {
  let bundled: FoundEntry[] = [];
  let bundledBytes = 0;
  let embedded: FoundEntry[] = [];
  await rules.onDirectory('.');
  for await (const entry of entries) {
    const path = entry.path.startsWith(data) ? entry.path.slice(data.length) : undefined;
    if (path !== undefined && entry.type === 'directory') await rules.onDirectory(path);
    const place = path === undefined ? 'bundle' : placeOf(entry, rules);
    if (place === 'file') yield { kind: 'file', entry: { ...entry, path: path as string } };
    if (place === 'embedded') embedded.push({ ...entry, path: path as string });
    if (embedded.length === embeddedPerUnit) {
      yield { kind: 'embedded', entries: embedded };
      embedded = [];
    }
    if (place !== 'bundle') continue;
    const bytes = tarBlockBytes + entry.size + tarPaddingOf(entry.size);
    if (bundled.length > 0 && (bundledBytes + bytes > rules.bundleBytes || bundled.length === rules.bundleMembersMax)) {
      yield { kind: 'bundle', members: bundled };
      bundled = [];
      bundledBytes = 0;
    }
    bundled.push(path === undefined ? entry : { ...entry, path: bundleMember(path) });
    bundledBytes += bytes;
  }
  if (embedded.length > 0) yield { kind: 'embedded', entries: embedded };
  if (bundled.length > 0) yield { kind: 'bundle', members: bundled };
}

function placeOf(entry: FoundEntry, { fileBytesMin, attributes }: DeltaRules): 'bundle' | 'file' | 'embedded' | 'nowhere' {
  if (entry.type === 'symlink') return 'bundle';
  if (!sameAttributes(entry, attributes[entry.type])) return 'bundle';
  if (entry.type === 'directory') return 'nowhere';
  if (entry.size <= embeddedBytesMax) return 'embedded';
  return entry.size < fileBytesMin ? 'bundle' : 'file';
}

/** Members are named without `pgdata/`, unless a reader would take their own first part for one of the prefixes it knows. */
export function bundleMember(path: string): string {
  return /^(pgdata|tablespaces)(\/|$)/.test(path) ? data + path : path;
}

/** The path below PGDATA of a bundle's member; `undefined` for one of a tablespace. */
export function pathOfBundleMember(member: string): string | undefined {
  if (member.startsWith('tablespaces/')) return undefined;
  return member.startsWith(data) ? member.slice(data.length) : member;
}
