import { OperatorError } from '../lib/errors.ts';
import type { PgConnection } from './client.ts';
import { type Lsn, parseLsn } from './lsn.ts';
import { parseTimelineHistory, type TimelineSwitch } from './timeline-history.ts';

/** Who a server is and how far its WAL reaches. */
export interface SystemIdentity {
  readonly systemIdentifier: bigint;
  readonly timeline: number;
  /** Up to where WAL is flushed. */
  readonly position: Lsn;
}

interface IdentifySystemRow {
  readonly systemid: string;
  /** An int8, thus text, since PostgreSQL 16. */
  readonly timeline: number | string;
  readonly xlogpos: string;
}

/** Asks over a replication connection. */
export async function identifySystem(connection: PgConnection): Promise<SystemIdentity> {
  const [row] = await connection.query<IdentifySystemRow>('IDENTIFY_SYSTEM');
  if (!row) throw new OperatorError('postgres-error', `PostgreSQL at ${connection.target} does not identify itself`);
  return { systemIdentifier: BigInt(row.systemid), timeline: Number(row.timeline), position: parseLsn(row.xlogpos) };
}

/** Where the server's timeline comes from, oldest ancestor first; asks over a replication connection. Nothing for the first timeline, which has no history. */
export async function readTimelineHistory(connection: PgConnection, timeline: number): Promise<readonly TimelineSwitch[]> {
  if (timeline === 1) return [];
  // Text since PostgreSQL 14, before that a bytea whose bytes are sent as they are.
  const [row] = await connection.query<{ content: string | Buffer }>(`TIMELINE_HISTORY ${timeline}`);
  if (!row)
    throw new OperatorError('postgres-error', `PostgreSQL at ${connection.target} does not tell the history of timeline ${timeline}`);
  return parseTimelineHistory(row.content.toString());
}
