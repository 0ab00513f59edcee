import type { Clock } from '../../../lib/clock.ts';
import { isOperatorError } from '../../../lib/errors.ts';
import type { PgConnection } from '../../../postgres/client.ts';

/** What a server says over an ordinary connection. Undefined: the role may not know, or the version does not tell. */
export interface ServerFacts {
  readonly version: number;
  readonly role: RoleFacts;
  readonly settings: ReadonlyMap<string, string>;
  /** Settings that were changed and wait for a restart. */
  readonly pendingRestart: readonly string[];
  readonly isStandby: boolean;
  readonly archiver: ArchiverFacts | undefined;
  readonly slots: readonly SlotFacts[] | undefined;
  /** How many receive WAL now. */
  readonly senders: number | undefined;
  readonly systemIdentifier: bigint | undefined;
  readonly databaseBytes: number | undefined;
  readonly tablespaces: readonly { readonly name: string; readonly location: string }[] | undefined;
  /** How far the clock of the server is ahead of ours, and how long it took to ask. */
  readonly clock: { readonly aheadMs: number; readonly roundTripMs: number } | undefined;
}

export interface RoleFacts {
  readonly name: string;
  readonly isSuperuser: boolean;
  readonly mayReplicate: boolean;
  readonly mayReadSettings: boolean;
  readonly mayBackUp: boolean;
  /** How it logged in (PostgreSQL 16 and later). */
  readonly method: string | undefined;
  /** Where from; null: through a socket. */
  readonly address: string | null;
}

export interface ArchiverFacts {
  readonly archived: number;
  readonly lastArchived: string | undefined;
  readonly lastArchivedAt: Date | undefined;
  readonly lastFailed: string | undefined;
  readonly lastFailedAt: Date | undefined;
}

export interface SlotFacts {
  readonly name: string;
  readonly type: string;
  readonly isActive: boolean;
  /** `reserved`, `extended`, `unreserved`, `lost`; null: never used. */
  readonly walStatus: string | null;
  /** How much WAL it keeps. */
  readonly heldBytes: number | null;
}

const settingNames = [
  'archive_command',
  'archive_library',
  'archive_mode',
  'archive_timeout',
  'data_checksums',
  'data_directory',
  'full_page_writes',
  'hba_file',
  'max_slot_wal_keep_size',
  'max_wal_senders',
  'port',
  'synchronous_commit',
  'synchronous_standby_names',
  'wal_keep_size',
  'wal_level',
  'wal_segment_size',
] as const;

/** Asks one thing after the other, so that what is denied hides nothing else. Rejects where the connection is lost. */
export async function readServerFacts(connection: PgConnection, clock: Clock): Promise<ServerFacts> {
  const rows = await connection.query<{ name: string; setting: string; pending: boolean }>(
    'SELECT name, setting, pending_restart AS pending FROM pg_catalog.pg_settings WHERE name = ANY($1)',
    [settingNames],
  );
  const [state] = await connection.query<{ standby: boolean }>('SELECT pg_catalog.pg_is_in_recovery() AS standby');
  const isStandby = state?.standby === true;
  return {
    version: connection.serverVersion,
    role: await readRole(connection),
    settings: new Map(rows.map(({ name, setting }) => [name, setting])),
    pendingRestart: rows.filter(({ pending }) => pending).map(({ name }) => name),
    isStandby,
    archiver: await readArchiver(connection),
    slots: await readSlots(connection, isStandby),
    senders: await countOf(connection, 'SELECT count(*)::int AS value FROM pg_catalog.pg_stat_replication'),
    systemIdentifier: await readIdentifier(connection),
    databaseBytes: await countOf(connection, 'SELECT sum(pg_catalog.pg_database_size(oid)) AS value FROM pg_catalog.pg_database'),
    tablespaces: await readTablespaces(connection),
    clock: await readClock(connection, clock),
  };
}

async function readRole(connection: PgConnection): Promise<RoleFacts> {
  const [start, stop] = backupFunctions(connection.serverVersion);
  const method = connection.serverVersion >= 160_000 ? 'system_user' : 'NULL';
  const [row] = await connection.query<{
    name: string;
    super: boolean;
    rep: boolean;
    reads: boolean;
    backs: boolean;
    method: string | null;
    address: string | null;
  }>(
    `SELECT rolname AS name, rolsuper AS super, rolreplication AS rep, ${method}::text AS method, pg_catalog.host(pg_catalog.inet_client_addr()) AS address,
            pg_catalog.pg_has_role(oid, 'pg_read_all_settings', 'USAGE') AS reads,
            pg_catalog.has_function_privilege(oid, $1, 'EXECUTE') AND pg_catalog.has_function_privilege(oid, $2, 'EXECUTE') AS backs
     FROM pg_catalog.pg_roles WHERE rolname = current_user`,
    [start, stop],
  );
  return {
    name: row?.name ?? '',
    isSuperuser: row?.super === true,
    mayReplicate: row?.super === true || row?.rep === true,
    mayReadSettings: row?.super === true || row?.reads === true,
    mayBackUp: row?.backs === true,
    method: row?.method?.split(':')[0] ?? undefined,
    address: row?.address ?? null,
  };
}

/** Those that begin and end a base backup, as GRANT names them. */
export function backupFunctions(version: number): readonly [string, string] {
  return version >= 150_000
    ? ['pg_catalog.pg_backup_start(text, boolean)', 'pg_catalog.pg_backup_stop(boolean)']
    : ['pg_catalog.pg_start_backup(text, boolean, boolean)', 'pg_catalog.pg_stop_backup(boolean, boolean)'];
}

async function readArchiver(connection: PgConnection): Promise<ArchiverFacts | undefined> {
  const rows = await ask<{ count: string; done: string | null; at: string | null; failed: string | null; failed_at: string | null }>(
    connection,
    `SELECT archived_count AS count, last_archived_wal AS done, last_failed_wal AS failed,
            extract(epoch FROM last_archived_time)::text AS at, extract(epoch FROM last_failed_time)::text AS failed_at FROM pg_catalog.pg_stat_archiver`,
  );
  const row = rows?.[0];
  return (
    row && {
      archived: Number(row.count),
      lastArchived: row.done ?? undefined,
      lastArchivedAt: dateOf(row.at),
      lastFailed: row.failed ?? undefined,
      lastFailedAt: dateOf(row.failed_at),
    }
  );
}

async function readSlots(connection: PgConnection, isStandby: boolean): Promise<SlotFacts[] | undefined> {
  const position = isStandby ? 'pg_catalog.pg_last_wal_replay_lsn()' : 'pg_catalog.pg_current_wal_lsn()';
  const rows = await ask<{ name: string; type: string; active: boolean; status: string | null; held: string | null }>(
    connection,
    `SELECT slot_name AS name, slot_type AS type, active, wal_status AS status, pg_catalog.pg_wal_lsn_diff(${position}, restart_lsn)::text AS held
     FROM pg_catalog.pg_replication_slots`,
  );
  return rows?.map(({ name, type, active, status, held }) => ({
    name,
    type,
    isActive: active,
    walStatus: status,
    heldBytes: held === null ? null : Number(held),
  }));
}

async function readIdentifier(connection: PgConnection): Promise<bigint | undefined> {
  const rows = await ask<{ id: string }>(connection, 'SELECT system_identifier::text AS id FROM pg_catalog.pg_control_system()');
  // Signed in SQL, though it is not.
  return rows?.[0] && BigInt.asUintN(64, BigInt(rows[0].id));
}

async function readTablespaces(connection: PgConnection): Promise<{ name: string; location: string }[] | undefined> {
  return ask<{ name: string; location: string }>(
    connection,
    `SELECT spcname AS name, pg_catalog.pg_tablespace_location(oid) AS location FROM pg_catalog.pg_tablespace
     WHERE pg_catalog.pg_tablespace_location(oid) <> '' ORDER BY spcname`,
  );
}

async function readClock(connection: PgConnection, clock: Clock): Promise<ServerFacts['clock']> {
  const before = clock.now().getTime();
  const rows = await ask<{ seconds: string }>(connection, 'SELECT extract(epoch FROM pg_catalog.clock_timestamp())::text AS seconds');
  const after = clock.now().getTime();
  if (!rows?.[0]) return undefined;
  return { aheadMs: Number(rows[0].seconds) * 1000 - (before + after) / 2, roundTripMs: after - before };
}

async function countOf(connection: PgConnection, sql: string): Promise<number | undefined> {
  const rows = await ask<{ value: string | number | null }>(connection, sql);
  const value = rows?.[0]?.value;
  return value === undefined || value === null ? undefined : Number(value);
}

/** Undefined where the server refuses the statement. */
async function ask<Row extends object>(connection: PgConnection, sql: string): Promise<Row[] | undefined> {
  try {
    return await connection.query<Row>(sql);
  } catch (error) {
    if (isOperatorError(error, 'postgres-error')) return undefined;
    throw error;
  }
}

function dateOf(seconds: string | null): Date | undefined {
  return seconds === null ? undefined : new Date(Number(seconds) * 1000);
}
