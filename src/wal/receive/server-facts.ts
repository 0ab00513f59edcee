import { type PgConnection } from '../../postgres/client.ts';
import { type Lsn, parseLsn } from '../../postgres/lsn.ts';
import { identifySystem, type SystemIdentity } from '../../postgres/replication.ts';
import { defaultSegmentBytes } from '../../postgres/wal-name.ts';

/** What a server tells over a replication connection. */
export interface ServerFacts extends SystemIdentity {
  readonly version: number;
  readonly segmentBytes: number;
}

const unitBytes: Readonly<Record<string, number>> = { B: 1, kB: 1024, MB: 1024 ** 2, GB: 1024 ** 3 };

export async function readServerFacts(connection: PgConnection): Promise<ServerFacts> {
  return { ...(await identifySystem(connection)), version: connection.serverVersion, segmentBytes: await segmentBytesOf(connection) };
}

/** Reads a size as SHOW prints it: `16MB`. Undefined for anything else. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+)([kMG]?B)$/.exec(text);
  return match ? Number(match[1]) * (unitBytes[match[2] as string] as number) : undefined;
}

/**
 * From where a slot can deliver. One that holds nothing any more, because the server invalidated it, is made anew and holds from the last
 * checkpoint on. Undefined where the server cannot tell (before PostgreSQL 15).
 */
export async function reserveSlot(connection: PgConnection, slot: string): Promise<Lsn | undefined> {
  const held = connection.serverVersion < 150_000 ? undefined : await restartLsnOf(connection, slot);
  if (held !== undefined) return held;
  await connection.query(`DROP_REPLICATION_SLOT ${quoted(slot)}`);
  await connection.query(`CREATE_REPLICATION_SLOT ${quoted(slot)} PHYSICAL RESERVE_WAL`);
  return connection.serverVersion < 150_000 ? undefined : restartLsnOf(connection, slot);
}

async function restartLsnOf(connection: PgConnection, slot: string): Promise<Lsn | undefined> {
  const [row] = await connection.query<{ restart_lsn: string | null }>(`READ_REPLICATION_SLOT ${quoted(slot)}`);
  return typeof row?.restart_lsn === 'string' ? parseLsn(row.restart_lsn) : undefined;
}

/** SHOW is known to replication connections since PostgreSQL 10, and the size could not be chosen at run time before 11. */
async function segmentBytesOf(connection: PgConnection): Promise<number> {
  if (connection.serverVersion < 100_000) return defaultSegmentBytes;
  const [row] = await connection.query<{ wal_segment_size: string }>('SHOW wal_segment_size');
  return parseSize(row?.wal_segment_size ?? '') ?? defaultSegmentBytes;
}

function quoted(slot: string): string {
  return `"${slot.replaceAll('"', '""')}"`;
}
