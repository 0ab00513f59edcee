import { OperatorError } from '../lib/errors.ts';
import type { PgConnection } from './client.ts';
import { type Lsn, parseLsn } from './lsn.ts';
import { parseTimelineHistory, type TimelineSwitch } from './timeline-history.ts';
import { defaultSegmentBytes } from './wal-name.ts';

/** Who a server is and how far its WAL reaches. */
export interface SystemIdentity {
  readonly systemIdentifier: bigint;
  readonly timeline: number;
  /** Up to where WAL is flushed. */
  readonly position: Lsn;
}

/** What a server tells over a replication connection. */
export interface ServerFacts extends SystemIdentity {
  readonly version: number;
  readonly segmentBytes: number;
}

/** A timeline history file as the server has it. */
export interface TimelineHistoryFile {
  /** `0000000N.history`. */
  readonly name: string;
  /** Byte for byte. */
  readonly content: Buffer;
}

interface IdentifySystemRow {
  readonly systemid: string;
  /** An int8, thus text, since PostgreSQL 16. */
  readonly timeline: number | string;
  readonly xlogpos: string;
}

const unitBytes: Readonly<Record<string, number>> = { B: 1, kB: 1024, MB: 1024 ** 2, GB: 1024 ** 3 };

/** Asks over a replication connection. */
export async function identifySystem(connection: PgConnection): Promise<SystemIdentity> {
  const [row] = await connection.query<IdentifySystemRow>('IDENTIFY_SYSTEM');
  if (!row) throw new OperatorError('postgres-error', `PostgreSQL at ${connection.target} does not identify itself`);
  return { systemIdentifier: BigInt(row.systemid), timeline: Number(row.timeline), position: parseLsn(row.xlogpos) };
}

/** Asks over a replication connection. */
export async function readServerFacts(connection: PgConnection): Promise<ServerFacts> {
  return { ...(await identifySystem(connection)), version: connection.serverVersion, segmentBytes: await segmentBytesOf(connection) };
}

/** Before the socket of a replication connection changes hands: a statement that succeeds ends with ReadyForQuery, so that nothing of an earlier one is on its way. */
export async function settleReplication(connection: PgConnection, signal: AbortSignal | undefined): Promise<void> {
  const abort = () => void connection.close();
  signal?.throwIfAborted();
  signal?.addEventListener('abort', abort, { once: true });
  try {
    await identifySystem(connection);
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}

/** Reads a size as SHOW prints it: `16MB`. Undefined for anything else. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+)([kMG]?B)$/.exec(text);
  return match ? Number(match[1]) * (unitBytes[match[2] as string] as number) : undefined;
}

/** Where the server's timeline comes from, oldest ancestor first; asks over a replication connection. Nothing for the first timeline, which has no history. */
export async function readTimelineHistory(connection: PgConnection, timeline: number): Promise<readonly TimelineSwitch[]> {
  const file = await readTimelineHistoryFile(connection, timeline);
  return file === undefined ? [] : parseTimelineHistory(file.content.toString());
}

/**
 * The history file of a timeline, to be kept beside its WAL; asks over a replication connection. Undefined for the first timeline, which has none.
 * Throws `postgres-error` where the server has no such timeline.
 */
export async function readTimelineHistoryFile(connection: PgConnection, timeline: number): Promise<TimelineHistoryFile | undefined> {
  if (timeline === 1) return undefined;
  // Text since PostgreSQL 14, before that a bytea. Either way the server sends the bytes of the file, in which reasons may be in any encoding.
  const [row] = await connection.queryBytes(`TIMELINE_HISTORY ${timeline}`);
  const [name, content] = row ?? [];
  if (name === undefined || content === undefined)
    throw new OperatorError('postgres-error', `PostgreSQL at ${connection.target} does not tell the history of timeline ${timeline}`);
  return { name: name.toString(), content };
}

/** SHOW is known to replication connections since PostgreSQL 10, and the size could not be chosen at run time before 11. */
async function segmentBytesOf(connection: PgConnection): Promise<number> {
  if (connection.serverVersion < 100_000) return defaultSegmentBytes;
  const [row] = await connection.query<{ wal_segment_size: string }>('SHOW wal_segment_size');
  return parseSize(row?.wal_segment_size ?? '') ?? defaultSegmentBytes;
}
