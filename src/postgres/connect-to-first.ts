import { messageOf, OperatorError } from '../lib/errors.ts';
import { connect, type PgConnection } from './client.ts';
import type { ConnInfo } from './conninfo.ts';

/** Connects to the first node that answers and passes `check`; the error tells what was wrong with each. */
export async function connectToFirst(
  nodes: readonly ConnInfo[],
  options: { readonly replication?: boolean; readonly signal: AbortSignal },
  check: (connection: PgConnection, node: ConnInfo) => Promise<void> = async () => {},
): Promise<PgConnection> {
  const failures: unknown[] = [];
  for (const node of nodes) {
    options.signal.throwIfAborted();
    try {
      const connection = await connect(node, { ...options, applicationName: 'pghoard' });
      try {
        await check(connection, node);
        return connection;
      } catch (error) {
        await connection.close();
        throw error;
      }
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length === 1) throw failures[0];
  throw new OperatorError('postgres-unreachable', `none of the ${nodes.length} nodes can be used`, {
    cause: new AggregateError(failures, failures.map(messageOf).join('; ')),
    retryable: true,
    hint: 'Check "nodes" of the site.',
  });
}
