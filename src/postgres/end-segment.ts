import assert from 'node:assert/strict';
import { startBackupSql, stopBackupSql } from './backup-statements.ts';
import { type BaseBackupHandler, streamBaseBackup } from './base-backup.ts';
import type { PgConnection } from './client.ts';
import { type Lsn, parseLsn } from './lsn.ts';
import { readServerFacts } from './replication.ts';
import { parseWalName, walNameOf } from './wal-name.ts';

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

/**
 * The same where the primary is still writing the segment of this name, on whatever timeline; resolves to whether it was. A commit goes ahead, so that recovery to any moment
 * before it finds something to stop at.
 */
export async function endSegmentIfCurrent(connection: PgConnection, name: string, segmentBytes: number): Promise<boolean> {
  const [row] = await connection.query<{ lsn: string }>('SELECT pg_catalog.pg_current_wal_insert_lsn()::text AS lsn');
  assert(row, 'SELECT without FROM returns a row');
  if (!isWithin(parseLsn(row.lsn), name, segmentBytes)) return false;
  // It must not wait for standbys that are down.
  await connection.query('SET synchronous_commit = local');
  await connection.query('SELECT pg_catalog.txid_current()');
  await endSegment(connection);
  return true;
}

/** The same over a replication connection, for a role that may do nothing else: there, too, a base backup begins with a switch, and is given up then. No commit goes ahead. */
export async function endSegmentIfCurrentByReplication(connection: PgConnection, name: string, signal: AbortSignal): Promise<boolean> {
  const { position, segmentBytes } = await readServerFacts(connection);
  if (!isWithin(position, name, segmentBytes)) return false;
  const begun = new AbortController();
  const nothing = () => {};
  const handler: BaseBackupHandler = { begin: () => begun.abort(), archive: nothing, manifest: nothing, data: nothing, warning: nothing };
  try {
    await streamBaseBackup(connection, { label: markerLabel }, handler, AbortSignal.any([signal, begun.signal]));
  } catch (error) {
    if (!begun.signal.aborted) throw error;
  }
  return true;
}

/** Whether it is in the segment of this name, on whatever timeline. */
function isWithin(lsn: Lsn, name: string, segmentBytes: number): boolean {
  return walNameOf(lsn, parseWalName(name, segmentBytes).timeline, segmentBytes) === name;
}
