import type { BaseBackupArchive } from '../../postgres/base-backup.ts';
import type { TarMember } from '../../tar/header.ts';
import { controlFilePath, emptiedDirectories, isLeftOutOfData } from '../exclusions.ts';
import type { Tablespace } from '../walk.ts';

/** What becomes of a member of one of the server's archives. */
export type MemberPlace =
  | { readonly to: 'chunk'; readonly path: string }
  /** The main object, which is made from them in the end. */
  | { readonly to: 'label' | 'control-file' | 'emptied-directory' }
  | { readonly to: 'nowhere' };

/** An archive of the server, and where in ours its members go. */
export interface ArchivePlace {
  /** Of the names in our archives. */
  readonly prefix: string;
  /** Of the names in the server's manifest. */
  readonly listedPrefix: string;
  /** Absent: the data directory, or a tablespace in place, which lies in there. */
  readonly tablespace?: Tablespace | undefined;
  readonly isDataDirectory: boolean;
}

const emptied: ReadonlySet<string> = new Set(emptiedDirectories);
const nowhere: MemberPlace = { to: 'nowhere' };

/** `names`: of tablespaces, by OID; one without is named by its OID. */
export function archivePlace({ oid, path }: BaseBackupArchive, names: ReadonlyMap<number, string>): ArchivePlace {
  if (oid === undefined) return { prefix: 'pgdata/', listedPrefix: '', isDataDirectory: true };
  const listedPrefix = `pg_tblspc/${oid}/`;
  if (!path.startsWith('/')) return { prefix: `pgdata/pg_tblspc/${oid}/`, listedPrefix, isDataDirectory: false };
  const name = names.get(oid) ?? String(oid);
  return { prefix: `tablespaces/${name}/`, listedPrefix, isDataDirectory: false, tablespace: { name, oid, path } };
}

/** As `local-tar` has it: the same files in the chunks, the same in the main object, the links of tablespaces left to the restore. */
export function memberPlace({ path, type }: Pick<TarMember, 'path' | 'type'>, archive: ArchivePlace): MemberPlace {
  if (!archive.isDataDirectory) return { to: 'chunk', path: archive.prefix + path };
  if (path === 'backup_label') return { to: 'label' };
  if (path === controlFilePath) return { to: 'control-file' };
  if (type === 'directory' && emptied.has(path)) return { to: 'emptied-directory' };
  if (type === 'symlink' && /^pg_tblspc\/\d+$/.test(path)) return nowhere;
  if (isLeftOutOfData(path) || emptiedDirectories.some((directory) => path.startsWith(`${directory}/`))) return nowhere;
  return { to: 'chunk', path: archive.prefix + path };
}
