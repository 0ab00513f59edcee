import { manifestMember } from '../catalog/manifest-stream.ts';
import { OperatorError } from '../lib/errors.ts';

/** `raw`: the tar that pg_basebackup wrote, stored without a `format` in its metadata. The others as in docs/FORMAT.md. */
export type BackupFormat = 'raw' | 'pghoard-bb-v1' | 'pghoard-bb-v2' | 'pghoard-delta';

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
  if (path.includes('\0')) throw tarUnsafe(path, 'it contains a NUL byte');
  const place = layout.format === 'raw' ? { root: layout.dataDirectory, relative: path } : placeOfPrefixed(path, layout);
  if (place === undefined) return undefined;
  const relative = confined(place.relative, path);
  if (reserved.has(relative) || reserved.has(firstOf(relative))) throw tarUnsafe(path, 'that name is kept for unfinished restores');
  if (place.root !== layout.dataDirectory) return { root: place.root, relative };
  return dropped.has(relative) ? undefined : { root: place.root, relative };
}

/** An archive that would write, or make PostgreSQL write, where it must not. */
export function tarUnsafe(member: string, why: string): OperatorError {
  return new OperatorError('tar-unsafe', `the archive holds a member '${printable(member)}' that is not safe to unpack: ${why}`, {
    hint: 'No base backup contains such a member: the object was tampered with or is none. Restore another base backup.',
  });
}

function placeOfPrefixed(path: string, layout: Layout): Place | undefined {
  if (path === manifestMember) return undefined;
  const inData = below('pgdata', path);
  if (inData !== undefined) return { root: layout.dataDirectory, relative: inData };
  if (path === 'tablespaces') return undefined;
  // Names of tablespaces may contain slashes: the longest that fits is meant.
  const byLength = layout.tablespaces.toSorted((a, b) => b.name.length - a.name.length);
  for (const { name, directory } of byLength) {
    const relative = below(`tablespaces/${name}`, path);
    if (relative !== undefined) return { root: directory, relative };
  }
  // Members of bundles are named as they are below the data directory.
  if (layout.format === 'pghoard-delta') return { root: layout.dataDirectory, relative: path };
  throw tarUnsafe(path, 'it belongs neither to the data directory nor to a tablespace of the backup');
}

function below(folder: string, path: string): string | undefined {
  if (path === folder) return '';
  return path.startsWith(`${folder}/`) ? path.slice(folder.length + 1) : undefined;
}

function firstOf(relative: string): string {
  return relative.split('/', 1)[0] ?? '';
}

/** Without `.` and doubled slashes. Throws `tar-unsafe` for what leads out. */
export function confined(relative: string, path: string): string {
  if (relative.startsWith('/')) throw tarUnsafe(path, 'its path is absolute');
  const parts = relative.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw tarUnsafe(path, "its path contains '..'");
  return parts.join('/');
}

function printable(member: string): string {
  return member.slice(0, 200).replace(/[^\x20-\x7e]/gu, '?');
}
