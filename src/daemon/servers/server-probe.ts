import type { PostgresNode } from '../../postgres/node.ts';
import type { ServerAnswer } from './server-sample.ts';

/** Asks servers who they are. Each node is asked by one at a time. */
export interface ServerProbe {
  /** Rejects with OperatorErrors, and gives up when `signal` is aborted. */
  ask(node: PostgresNode, signal: AbortSignal): Promise<ServerAnswer>;
  /** Ends what was kept for the next question. */
  close(): Promise<void>;
}
