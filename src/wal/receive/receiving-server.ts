import { join } from 'node:path';
import { OperatorError } from '../../lib/errors.ts';
import { connect, type PgConnection } from '../../postgres/client.ts';
import type { PostgresNode } from '../../postgres/node.ts';
import { readServerFacts, type ServerFacts } from '../../postgres/replication.ts';
import { checkWalSegment } from '../../postgres/wal-page.ts';
import type { ClusterFacts } from '../wal-source.ts';
import { firstBytes, lastReceived } from './partial-files.ts';

export interface ReceivingServerDeps {
  /** Where received files lie. */
  readonly directory: string;
  /** What is known of the cluster from elsewhere: WAL of another one is not received. */
  readonly cluster: () => ClusterFacts;
  /** Told what the server says of itself; rejects with `cluster-mismatch` where its WAL is not for this site. */
  readonly onServer: (facts: ClusterFacts, target: string) => Promise<void>;
}

const headerBytes = 8192;

/** Connects for replication, and makes sure that it is the right server before anything is received from it. The connection is the caller's to close. */
export async function connectToServer(
  { conninfo }: PostgresNode,
  deps: ReceivingServerDeps,
  options: { readonly applicationName: string; readonly signal: AbortSignal },
): Promise<{ readonly connection: PgConnection; readonly server: ServerFacts }> {
  const connection = await connect(conninfo, { replication: true, ...options });
  try {
    const server = await readServerFacts(connection);
    const { systemIdentifier, segmentBytes, version: pgVersion } = server;
    await deps.onServer({ systemIdentifier, segmentBytes, pgVersion }, connection.target);
    await checkIdentity(server, deps);
    return { connection, server };
  } catch (error) {
    await connection.close();
    throw error;
  }
}

/** WAL of two clusters must not meet in one directory, nor in one archive. */
async function checkIdentity({ systemIdentifier, segmentBytes }: ServerFacts, { cluster, directory }: ReceivingServerDeps): Promise<void> {
  const known = cluster().systemIdentifier;
  if (known !== undefined && known !== systemIdentifier) {
    throw new OperatorError('cluster-mismatch', `the server has the system identifier ${systemIdentifier}, the data directory ${known}`, {
      hint: '"nodes" and "pg_data_directory" must belong to one cluster.',
    });
  }
  const last = await lastReceived(directory);
  if (last === undefined || last.isPartial) return;
  try {
    checkWalSegment(last.name, await firstBytes(join(directory, last.name), headerBytes), { systemIdentifier, segmentBytes });
  } catch (error) {
    throw new OperatorError('cluster-mismatch', `${last.name}, which was received last, is not from this server`, {
      cause: error,
      hint: `A cluster that was made anew needs a site of its own. If this is the right one, empty ${directory}.`,
    });
  }
}
