import { OperatorError } from '../lib/errors.ts';
import type { PgConnection } from './client.ts';
import { type Lsn, parseLsn } from './lsn.ts';

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
