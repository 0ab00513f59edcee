import { isOperatorError, messageOf } from '../../lib/errors.ts';
import type { PostgresNode } from '../../postgres/node.ts';
import type { Hole } from './gaps.ts';
import { findLocalWal } from './local-wal.ts';
import type { NodeWalDeps } from './node-wal.ts';
import type { WalNodes } from './wal-nodes.ts';
import type { WantedWal } from './wanted.ts';

export interface MendDeps extends NodeWalDeps {
  /** Of a server of the site on this host. */
  readonly dataDirectory: string | null;
  readonly nodes: readonly PostgresNode[];
  readonly walNodes: Pick<WalNodes, 'archive' | 'archiveHistory'>;
}

/** What came of an attempt, for a hole or the number of a timeline whose history is missing. */
export interface MendOutcome {
  readonly what: Hole | number;
  /** Why it is not stored after all, in words; undefined if it is. */
  readonly because: string | undefined;
  /** Nobody has it: another attempt would end as this one did. */
  readonly isLost: boolean;
}

/** What a node says that does not have the WAL, and is not going to have it again. */
const lostCodes = ['wal-removed', 'wal-diverged', 'wal-timeline-ahead', 'cluster-mismatch'];
/** In one attempt; what is missing in the past in many places must not hold up what is missing now. */
const soughtMax = 50;

/**
 * Archives what a data directory on this host still has of what is missing. Resolves to how many files that were; what is refused is left out, and told by
 * {@link mendFromNodes} if no node has it either.
 */
export async function mendFromDirectory(
  wanted: WantedWal,
  deps: MendDeps,
): Promise<{ readonly stored: number; readonly refused: readonly string[] }> {
  const found = deps.dataDirectory === null ? [] : await findLocalWal(deps.dataDirectory, wanted);
  let stored = 0;
  const refused: string[] = [];
  for (const { name, path } of found) {
    deps.signal.throwIfAborted();
    try {
      await deps.archive(name, path);
      stored++;
    } catch (error) {
      if (!isOperatorError(error) || deps.signal.aborted) throw error;
      refused.push(messageOf(error));
    }
  }
  return { stored, refused };
}

/** Asks the nodes for what is missing, one after the other until one has it; in the order given. */
export async function* mendFromNodes({ histories, holes }: WantedWal, deps: MendDeps): AsyncGenerator<MendOutcome> {
  const { walNodes } = deps;
  for (const timeline of histories.slice(0, soughtMax)) {
    yield await askNodes(timeline, (node) => walNodes.archiveHistory(node, timeline, deps), deps);
  }
  for (const hole of holes.slice(0, soughtMax)) yield await askNodes(hole, (node) => walNodes.archive(node, hole, deps), deps);
}

async function askNodes(
  what: Hole | number,
  ask: (node: PostgresNode) => Promise<void>,
  { nodes, signal }: MendDeps,
): Promise<MendOutcome> {
  const answers: string[] = [];
  let isLost = true;
  for (const node of nodes) {
    signal.throwIfAborted();
    try {
      await ask(node);
      return { what, because: undefined, isLost: false };
    } catch (error) {
      if (!isOperatorError(error) || signal.aborted) throw error;
      const isAnswer = isOperatorError(error, ...lostCodes) || (typeof what === 'number' && isOperatorError(error, 'postgres-error'));
      isLost &&= isAnswer;
      answers.push(messageOf(error));
    }
  }
  return { what, because: answers.length === 0 ? 'there is no node to ask' : answers.join('; '), isLost };
}
