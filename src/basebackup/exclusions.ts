/**
 * What belongs into a base backup. The rules are PostgreSQL's own (backend/backup/basebackup.c, "excludeDirContents", "excludeFiles",
 * documented under BASE_BACKUP in "Streaming Replication Protocol"), plus what PGHoard always left out at the top level, plus the signal
 * files of the source: a copy must not become a standby because its source was one.
 *
 * `tablespace_map` is not stored either: with it PostgreSQL would point every tablespace link back to the *original* directory at the
 * start of recovery, against the mapping chosen at restore. The links are made from the manifest instead.
 */

/** Directories that are kept empty: their contents mean nothing after a restart, or (WAL) come from the archive. */
export const emptiedDirectories = [
  'pg_dynshmem',
  'pg_log',
  'pg_notify',
  'pg_replslot',
  'pg_serial',
  'pg_snapshots',
  'pg_stat_tmp',
  'pg_subtrans',
  'pg_wal',
  'pg_wal/archive_status',
] as const;

const emptied: ReadonlySet<string> = new Set([...emptiedDirectories, 'pg_xlog']);

const leftOutAtTop: ReadonlySet<string> = new Set([
  '.pghoard_tar_metadata.json',
  'backup_label',
  'backup_manifest',
  'fallback_promote',
  'lost+found',
  'postmaster.opts',
  'postmaster.pid',
  'promote',
  'recovery.conf',
  'recovery.signal',
  'standby.signal',
  'tablespace_map',
]);

/** Parts of PGDATA whose contents recovery needs. What a DBA moved elsewhere and linked back is read through the link. */
const clusterData: ReadonlySet<string> = new Set([
  'base',
  'global',
  'pg_commit_ts',
  'pg_logical',
  'pg_multixact',
  'pg_stat',
  'pg_twophase',
  'pg_xact',
]);

/** The control file goes into the control archive, read last. */
export const controlFilePath = 'global/pg_control';

/** Whether the entry `path` (relative to PGDATA, `/` between parts) is left out; of a directory that means with everything below it. */
export function isLeftOutOfData(path: string): boolean {
  const name = path.slice(path.lastIndexOf('/') + 1);
  if (isNeverTaken(name) || path === controlFilePath || emptied.has(path)) return true;
  return name === path && (leftOutAtTop.has(name) || /(\.old|\.tmp|~)$/.test(name) || name.startsWith('.s.'));
}

/** As {@link isLeftOutOfData} for what lies in a tablespace's directory: other major versions and strangers may have directories there too. */
export function isLeftOutOfTablespace(path: string, major: string): boolean {
  const top = path.split('/', 1)[0] as string;
  return !top.startsWith(`PG_${major}_`) || isNeverTaken(path.slice(path.lastIndexOf('/') + 1));
}

function isNeverTaken(name: string): boolean {
  return name.startsWith('pgsql_tmp') || name.startsWith('pg_internal.init');
}

/** Whether a link at `path` stands for data of the cluster (and not, say, for a log directory or a certificate). */
export function isClusterData(path: string): boolean {
  return clusterData.has(path.split('/', 1)[0] as string);
}

/** Whether `path` (relative to PGDATA or to a tablespace) is the directory of one database, where relations lie. */
export function isRelationDirectory(path: string): boolean {
  return /^(base|(pg_tblspc\/\d+\/)?PG_[^/]+)\/\d+$/.test(path);
}

/** `t3_16384`, `t3_16384_fsm.1`: relations of a session's temporary tables. */
export function isTemporaryRelation(name: string): boolean {
  return /^t\d+_\d+(_(fsm|vm|init))?(\.\d+)?$/.test(name);
}

/** The relation whose init fork this is: that relation is unlogged. */
export function unloggedRelationOf(name: string): string | undefined {
  return /^(\d+)_init(\.\d+)?$/.exec(name)?.[1];
}

/** Whether this is a fork of an unlogged relation that PostgreSQL makes anew from the init fork when it starts. */
export function isResetAtStart(name: string, unlogged: ReadonlySet<string>): boolean {
  const match = /^(\d+)(?:_(fsm|vm))?(?:\.\d+)?$/.exec(name);
  return match !== null && unlogged.has(match[1] as string);
}
