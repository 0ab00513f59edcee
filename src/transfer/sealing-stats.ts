import type { UploadFileType } from './file-type.ts';

/** One leaf of the state file's `compressors`; names as there. */
export interface SealingCounters {
  /** Plaintext bytes. */
  original_data: number;
  /** Bytes after compression and encryption. */
  compressed_data: number;
  count: number;
}

/** The kinds that the original told apart: parts of base backups are not among them. */
type SealedKind = 'basebackup' | 'xlog' | 'timeline';

/** Site → kind. */
export type SealingState = Record<string, Partial<Record<SealedKind, SealingCounters>>>;

/** What has been made ready for the store in this life of the process. */
export class SealingStats {
  readonly #sites = new Map<string, Map<SealedKind, SealingCounters>>();

  count(site: string, fileType: UploadFileType, plainBytes: number, storedBytes: number): void {
    const kind = kindOf(fileType);
    if (kind === undefined) return;
    const kinds = this.#sites.get(site) ?? new Map<SealedKind, SealingCounters>();
    this.#sites.set(site, kinds);
    const { original_data, compressed_data, count } = kinds.get(kind) ?? { original_data: 0, compressed_data: 0, count: 0 };
    kinds.set(kind, { original_data: original_data + plainBytes, compressed_data: compressed_data + storedBytes, count: count + 1 });
  }

  snapshot(): SealingState {
    return Object.fromEntries([...this.#sites].map(([site, kinds]) => [site, Object.fromEntries(kinds)]));
  }
}

function kindOf(fileType: UploadFileType): SealedKind | undefined {
  if (fileType === 'xlog_index' || fileType === 'xlog_rollup') return undefined;
  if (fileType === 'timeline') return fileType;
  return fileType.startsWith('xlog') ? 'xlog' : 'basebackup';
}
