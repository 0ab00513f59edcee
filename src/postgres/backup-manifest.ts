import { OperatorError } from '../lib/errors.ts';
import { type Lsn, parseLsn } from './lsn.ts';

/** Where the WAL ends that a base backup needs. */
export interface WalEnd {
  readonly timeline: number;
  /** The copy is consistent once recovery has come to here. */
  readonly lsn: Lsn;
}

interface WalRange {
  readonly Timeline: number;
  readonly 'End-LSN': string;
}

/** What follows the list of files in a `backup_manifest` is shorter. */
export const manifestTailBytes = 64 * 1024;

const key = '"WAL-Ranges": ';

/**
 * Reads the end of the WAL from the last bytes of a `backup_manifest` (backup_manifest.c, AddWALInfoToBackupManifest; PostgreSQL 13 and later). Of several
 * timelines the newest is where the backup ended. Undefined where it tells nothing of it. Throws `backup-manifest-invalid`.
 */
export function walEndIn(manifestTail: string): WalEnd | undefined {
  const at = manifestTail.lastIndexOf(key);
  if (at === -1) return undefined;
  const text = manifestTail.slice(at + key.length, manifestTail.indexOf(']', at) + 1);
  try {
    const ranges = (JSON.parse(text) as readonly WalRange[]).toSorted((a, b) => b.Timeline - a.Timeline);
    return ranges[0] && { timeline: ranges[0].Timeline, lsn: parseLsn(ranges[0]['End-LSN']) };
  } catch (cause) {
    throw new OperatorError('backup-manifest-invalid', 'the backup_manifest of pg_basebackup does not tell where the WAL ends', { cause });
  }
}
