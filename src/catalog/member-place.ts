import { OperatorError } from '../lib/errors.ts';
import type { BackupFormat } from './backup-format.ts';
import { manifestMember } from './manifest-stream.ts';

/** Where a member of an archive belongs. */
export interface MemberPlace {
  /** Its name; undefined: the data directory. */
  readonly tablespace: string | undefined;
  /** Below that, without `.`, `..` or doubled slashes; empty for the directory itself. */
  readonly relative: string;
}

export interface ArchiveNames {
  readonly format: BackupFormat;
  /** Names of the tablespaces of the backup. */
  readonly tablespaces: readonly string[];
}

/** Undefined: nowhere, on purpose. Throws `tar-unsafe` for names that lead out of the cluster. */
export function memberPlace(path: string, { format, tablespaces }: ArchiveNames): MemberPlace | undefined {
  if (path.includes('\0')) throw tarUnsafe(path, 'it contains a NUL byte');
  const inData = format === 'raw' ? path : below('pgdata', path);
  if (inData !== undefined) return { tablespace: undefined, relative: confined(inData, path) };
  if (path === manifestMember || path === 'tablespaces') return undefined;
  // Names of tablespaces may contain slashes: the longest that fits is meant.
  for (const tablespace of tablespaces.toSorted((a, b) => b.length - a.length)) {
    const relative = below(`tablespaces/${tablespace}`, path);
    if (relative !== undefined) return { tablespace, relative: confined(relative, path) };
  }
  // Members of bundles are named as they are below the data directory.
  if (format === 'pghoard-delta') return { tablespace: undefined, relative: confined(path, path) };
  throw tarUnsafe(path, 'it belongs neither to the data directory nor to a tablespace of the backup');
}

/** An archive that would write, or make PostgreSQL write, where it must not. */
export function tarUnsafe(member: string, why: string): OperatorError {
  return new OperatorError('tar-unsafe', `the archive holds a member '${printable(member)}' that is not safe to unpack: ${why}`, {
    hint: 'No base backup contains such a member: the object was tampered with or is none. Restore another base backup.',
  });
}

/** Without `.` and doubled slashes. Throws `tar-unsafe` for what leads out. */
export function confined(relative: string, path: string): string {
  if (relative.startsWith('/')) throw tarUnsafe(path, 'its path is absolute');
  const parts = relative.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw tarUnsafe(path, "its path contains '..'");
  return parts.join('/');
}

function below(folder: string, path: string): string | undefined {
  if (path === folder) return '';
  return path.startsWith(`${folder}/`) ? path.slice(folder.length + 1) : undefined;
}

function printable(member: string): string {
  return member.slice(0, 200).replace(/[^\x20-\x7e]/gu, '?');
}
