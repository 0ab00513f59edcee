import { connect } from '../../postgres/client.ts';
import type { PostgresNode } from '../../postgres/node.ts';
import { identifySystem, readTimelineHistory } from '../../postgres/replication.ts';
import type { TimelineSwitch } from '../../postgres/timeline-history.ts';
import type { ClusterFacts } from '../wal-source.ts';
import type { Hole } from './gaps.ts';
import { archiveFromNode, archiveHistoryFromNode, type NodeWalDeps } from './node-wal.ts';

/** What the servers of a site are asked for where the store does not have it. All of it rejects with OperatorErrors. */
export interface WalNodes {
  /** See {@link archiveFromNode}. */
  archive(node: PostgresNode, hole: Hole, deps: NodeWalDeps): Promise<void>;
  /** See {@link archiveHistoryFromNode}. */
  archiveHistory(node: PostgresNode, timeline: number, deps: NodeWalDeps): Promise<void>;
  /** Ancestors, oldest first; undefined where the node has no such history, or is of another cluster. */
  readHistory(node: PostgresNode, timeline: number, deps: ReadHistoryDeps): Promise<readonly TimelineSwitch[] | undefined>;
}

export interface ReadHistoryDeps {
  readonly cluster: () => ClusterFacts;
  readonly signal: AbortSignal;
}

/** Asks over the replication protocol. */
export const postgresNodes: WalNodes = { archive: archiveFromNode, archiveHistory: archiveHistoryFromNode, readHistory };

async function readHistory({ conninfo }: PostgresNode, timeline: number, { cluster, signal }: ReadHistoryDeps) {
  await using connection = await connect(conninfo, { replication: true, applicationName: 'pghoard', signal });
  const { systemIdentifier } = await identifySystem(connection);
  const isRight = systemIdentifier === (cluster().systemIdentifier ?? systemIdentifier);
  return isRight ? await readTimelineHistory(connection, timeline) : undefined;
}
