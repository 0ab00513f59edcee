import assert from 'node:assert/strict';
import { startBackupSql, stopBackupSql } from './backup-statements.ts';
import type { PgConnection } from './client.ts';

const markerLabel = 'pghoard_end_of_backup';

/**
 * Has a primary end the WAL segment that it is writing, so that it can be archived at once. Where the role may not switch segments, but may start backups, a
 * backup of nothing does it: that begins with a switch.
 */
export async function endSegment(connection: PgConnection): Promise<void> {
  const [row] = await connection.query<{ may_switch: boolean }>(
    "SELECT pg_catalog.has_function_privilege('pg_catalog.pg_switch_wal()', 'EXECUTE') AS may_switch",
  );
  assert(row, 'SELECT without FROM returns a row');
  if (row.may_switch) {
    await connection.query('SELECT pg_catalog.pg_switch_wal()');
    return;
  }
  await connection.query(startBackupSql(connection.serverVersion), [markerLabel]);
  await connection.query(stopBackupSql(connection.serverVersion, '1'));
}
