import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { HistoryReader } from '../../catalog/read-histories.ts';
import { isOperatorError, messageOf, OperatorError, systemErrorCode } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import type { PostgresNode } from '../../postgres/node.ts';
import { parseTimelineHistory, type TimelineSwitch } from '../../postgres/timeline-history.ts';
import { historyNameOf } from '../../postgres/wal-name.ts';
import { openStoredWal, type ReceiveDeps, receiveWal, type WalSource } from '../stored-wal.ts';
import { findWalDirectory } from '../wal-directory.ts';
import type { ClusterFacts } from '../wal-source.ts';
import type { WalNodes } from './wal-nodes.ts';

export interface HistoryReaderDeps {
  readonly sources: readonly WalSource[];
  readonly receiving: ReceiveDeps;
  readonly dataDirectory: string | null;
  readonly nodes: readonly PostgresNode[];
  readonly walNodes: Pick<WalNodes, 'readHistory'>;
  readonly cluster: () => ClusterFacts;
  readonly log: Log;
}

/** Reads stored histories: from the store, or where they are encrypted and the private key is not here, as the server has them. */
export function historyReader(deps: HistoryReaderDeps): HistoryReader {
  const ways = [fromStore, fromDataDirectory, ...deps.nodes.map(fromNode)];
  return async (timeline) => {
    for (const way of ways) {
      try {
        const switches = await way(timeline, deps);
        if (switches !== undefined) return inOrder(switches);
      } catch (error) {
        if (!isOperatorError(error) || deps.receiving.signal.aborted) throw error;
        deps.log.debug({ wal: historyNameOf(timeline) }, `a timeline history cannot be read: ${messageOf(error)}`);
      }
    }
    return undefined;
  };
}

type Way = (timeline: number, deps: HistoryReaderDeps) => Promise<readonly TimelineSwitch[] | undefined>;

const fromStore: Way = async (timeline, { sources, receiving }) => {
  const opened = await openStoredWal(historyNameOf(timeline), sources, receiving.signal);
  if (opened === undefined) return undefined;
  const { path } = await receiveWal(opened, receiving);
  try {
    return parseTimelineHistory(await readFile(path, 'utf8'));
  } finally {
    await rm(path, { force: true });
  }
};

const fromDataDirectory: Way = async (timeline, { dataDirectory }) => {
  const walDirectory = dataDirectory === null ? undefined : await findWalDirectory(dataDirectory);
  if (walDirectory === undefined) return undefined;
  try {
    return parseTimelineHistory(await readFile(join(walDirectory, historyNameOf(timeline)), 'utf8'));
  } catch (error) {
    if (systemErrorCode(error) === undefined) throw error;
    return undefined;
  }
};

function fromNode(node: PostgresNode): Way {
  return (timeline, { walNodes, cluster, receiving: { signal } }) => walNodes.readHistory(node, timeline, { cluster, signal });
}

/** A line of timelines only ever goes forward. */
function inOrder(switches: readonly TimelineSwitch[]): readonly TimelineSwitch[] {
  const isInOrder = switches.every(({ switchLsn }, index) => index === 0 || switchLsn >= (switches[index - 1]?.switchLsn ?? 0n));
  if (isInOrder) return switches;
  throw new OperatorError('timeline-history-invalid', 'its timelines were not left in their order');
}
