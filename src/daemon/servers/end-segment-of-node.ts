import { isOperatorError } from '../../lib/errors.ts';
import { connect, type PgConnection } from '../../postgres/client.ts';
import type { ConnInfo } from '../../postgres/conninfo.ts';
import { endSegmentIfCurrent, endSegmentIfCurrentByReplication } from '../../postgres/end-segment.ts';
import type { PostgresNode } from '../../postgres/node.ts';

/** The segment that a primary is to end. */
export interface SegmentToEnd {
  readonly name: string;
  readonly segmentBytes: number;
}

/** Where a checkpoint has to be made for it. */
const answerMsMax = 10 * 60_000;

/**
 * Has a primary end the WAL segment if it is still writing it; resolves to whether it was. By SQL, or as a role that may only replicate. Rejects with
 * OperatorErrors: what cannot be done by either is told as it was for SQL.
 */
export async function endSegmentOfNode(
  { conninfo }: PostgresNode,
  { name, segmentBytes }: SegmentToEnd,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    return await over(conninfo, false, signal, (connection) => endSegmentIfCurrent(connection, name, segmentBytes));
  } catch (error) {
    if (isOperatorError(error) && error.retryable) throw error;
    return over(conninfo, true, signal, (connection) => endSegmentIfCurrentByReplication(connection, name, signal)).catch(() => {
      throw error;
    });
  }
}

async function over<T>(
  conninfo: ConnInfo,
  replication: boolean,
  signal: AbortSignal,
  work: (connection: PgConnection) => Promise<T>,
): Promise<T> {
  await using connection = await connect(conninfo, { applicationName: 'pghoard', replication, answerMsMax, signal });
  const leave = () => void connection.close();
  signal.addEventListener('abort', leave, { once: true });
  try {
    return await work(connection);
  } finally {
    signal.removeEventListener('abort', leave);
  }
}
