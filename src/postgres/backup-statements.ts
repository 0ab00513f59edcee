const namedForBackupSince = 150_000;

/** Starts a non-exclusive base backup with a fast checkpoint; $1 is its label. `version`: `server_version_num`. */
export function startBackupSql(version: number): string {
  return version >= namedForBackupSince
    ? 'SELECT pg_catalog.pg_backup_start($1, true)::text AS lsn'
    : 'SELECT pg_catalog.pg_start_backup($1, true, false)::text AS lsn';
}

/**
 * Ends it. Does not wait for the archive: what archives is this very program, and the segment is safe in the server until then.
 * `columns`: any of lsn, labelfile, spcmapfile.
 */
export function stopBackupSql(version: number, columns: string): string {
  const call = version >= namedForBackupSince ? 'pg_backup_stop(false)' : 'pg_stop_backup(false, false)';
  return `SELECT ${columns} FROM pg_catalog.${call}`;
}
