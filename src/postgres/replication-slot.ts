import { isOperatorError, OperatorError } from '../lib/errors.ts';
import type { PgConnection } from './client.ts';
import { type Lsn, parseLsn } from './lsn.ts';
import { sqlStateOf } from './postgres-error.ts';

/** What a physical replication slot holds. */
export interface SlotPosition {
  /** From here on the server keeps WAL for the slot; undefined where it keeps none: never reserved, or invalidated. */
  readonly restartLsn: Lsn | undefined;
  /** Of that position; undefined where the server does not tell. */
  readonly timeline: number | undefined;
}

/** Who receives through a slot. */
export interface SlotHolder {
  /** Process of the server. */
  readonly pid: number;
  /** Undefined for a unix socket, and where our role may not know. */
  readonly host: string | undefined;
  readonly applicationName: string | undefined;
}

const duplicateObject = '42710';

/** READ_REPLICATION_SLOT came with PostgreSQL 15. */
export function canReadSlots(connection: PgConnection): boolean {
  return connection.serverVersion >= 150_000;
}

/**
 * Asks over a replication connection, for servers that {@link canReadSlots}. Undefined where there is no such slot. Throws `postgres-error`
 * for a logical one.
 */
export async function readSlot(connection: PgConnection, slot: string): Promise<SlotPosition | undefined> {
  const [row] = await connection.query<{ slot_type: string | null; restart_lsn: string | null; restart_tli: string | number | null }>(
    `READ_REPLICATION_SLOT ${quoteSlot(slot)}`,
  );
  if (typeof row?.slot_type !== 'string') return undefined;
  return {
    restartLsn: row.restart_lsn === null ? undefined : parseLsn(row.restart_lsn),
    timeline: row.restart_tli === null ? undefined : Number(row.restart_tli),
  };
}

/** As {@link readSlot} for every server, over an ordinary connection. */
export async function readSlotBySql(connection: PgConnection, slot: string): Promise<SlotPosition | undefined> {
  const [row] = await connection.query<{ slot_type: string; restart_lsn: string | null }>(
    'SELECT slot_type, restart_lsn::text FROM pg_replication_slots WHERE slot_name = $1',
    [slot],
  );
  if (!row) return undefined;
  if (row.slot_type !== 'physical') throw new OperatorError('postgres-error', `the replication slot ${slot} is a ${row.slot_type} one`);
  return { restartLsn: row.restart_lsn === null ? undefined : parseLsn(row.restart_lsn), timeline: undefined };
}

/** Who uses the slot now, over an ordinary connection. Undefined where nobody does. */
export async function readSlotHolder(connection: PgConnection, slot: string): Promise<SlotHolder | undefined> {
  const [row] = await connection.query<{ pid: number; host: string | null; name: string | null }>(
    `SELECT active_pid AS pid, host(client_addr) AS host, application_name AS name
     FROM pg_replication_slots LEFT JOIN pg_stat_activity ON pid = active_pid WHERE slot_name = $1 AND active_pid IS NOT NULL`,
    [slot],
  );
  return row && { pid: row.pid, host: row.host ?? undefined, applicationName: row.name ?? undefined };
}

/** Over a replication connection. With `reserveWal` the server keeps WAL from its last checkpoint on, at once. False where a slot of that name is there already. */
export async function createPhysicalSlot(
  connection: PgConnection,
  slot: string,
  { reserveWal = false }: { reserveWal?: boolean } = {},
): Promise<boolean> {
  try {
    await connection.query(`CREATE_REPLICATION_SLOT ${quoteSlot(slot)} PHYSICAL${reserveWal ? ' RESERVE_WAL' : ''}`);
    return true;
  } catch (error) {
    if (isOperatorError(error) && sqlStateOf(error) === duplicateObject) return false;
    throw error;
  }
}

/**
 * From where a slot can deliver. One that holds nothing any more, because the server invalidated it, is made anew and holds from the last
 * checkpoint on. Undefined where the server cannot tell (before PostgreSQL 15).
 */
export async function reserveSlot(connection: PgConnection, slot: string): Promise<Lsn | undefined> {
  const held = canReadSlots(connection) ? (await readSlot(connection, slot))?.restartLsn : undefined;
  if (held !== undefined) return held;
  await connection.query(`DROP_REPLICATION_SLOT ${quoteSlot(slot)}`);
  await createPhysicalSlot(connection, slot, { reserveWal: true });
  return canReadSlots(connection) ? (await readSlot(connection, slot))?.restartLsn : undefined;
}

/** As an identifier of a replication command. */
export function quoteSlot(slot: string): string {
  return `"${slot.replaceAll('"', '""')}"`;
}
