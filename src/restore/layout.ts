import type { BackupFormat } from '../catalog/backup-format.ts';
import { memberPlace, tarUnsafe } from '../catalog/member-place.ts';

export interface RestoreTablespace {
  readonly name: string;
  readonly oid: number;
  /** Absolute path of the directory that its files go to. */
  readonly directory: string;
}

/** Where the members of a backup's archives go. Plain data, so that it can be sent to a worker. */
export interface Layout {
  readonly format: BackupFormat;
  /** Absolute. */
  readonly dataDirectory: string;
  readonly tablespaces: readonly RestoreTablespace[];
}

/** A place below one of the directories of a {@link Layout}. */
export interface Place {
  /** The data directory or that of a tablespace. */
  readonly root: string;
  /** Below `root`, without `.`, `..` or doubled slashes; empty for `root` itself. */
  readonly relative: string;
}

/** Says that a directory holds a restore that has not ended, and what to do about it. */
export const incompleteMarker = 'pghoard_restore_incomplete';
export const controlFile = 'global/pg_control';
/** The control file's name until everything else is in place and durable: PostgreSQL does not start without `global/pg_control`. */
export const heldControlFile = 'global/pg_control.pghoard_restoring';
export const tablespaceMap = 'tablespace_map';

/** State of the source's server process and of its own recovery, none of which is true for the copy. */
const dropped = new Set(['postmaster.pid', 'postmaster.opts', 'recovery.signal', 'standby.signal', 'recovery.conf']);
/** Holds, while a delta backup is restored, which files are to be fetched. */
export const deltaList = 'pghoard_restore_files';
/** What the restore has finished so far, so that one that was stopped can go on. */
export const restoreJournal = 'pghoard_restore_journal';
/** In each directory of a restore that reuses what was there: what nobody has asked for yet, and what will be removed at the end. */
export const setAside = 'pghoard_restore_old';
const reserved = new Set([incompleteMarker, heldControlFile, deltaList, restoreJournal, setAside]);

/** Where a member goes; undefined: nowhere, on purpose. Throws `tar-unsafe` for names that lead out of the directories of the layout. */
export function placeOf(path: string, layout: Layout): Place | undefined {
  const { format, dataDirectory, tablespaces } = layout;
  const place = memberPlace(path, { format, tablespaces: tablespaces.map(({ name }) => name) });
  if (place === undefined) return undefined;
  const { tablespace, relative } = place;
  if (reserved.has(relative) || reserved.has(firstOf(relative))) throw tarUnsafe(path, 'that name is kept for unfinished restores');
  if (tablespace === undefined) return dropped.has(relative) ? undefined : { root: dataDirectory, relative };
  const root = tablespaces.find(({ name }) => name === tablespace)?.directory;
  return root === undefined ? undefined : { root, relative };
}

function firstOf(relative: string): string {
  return relative.split('/', 1)[0] ?? '';
}
