import type { OperatorError } from '../../lib/errors.ts';
import type { Lsn } from '../../postgres/lsn.ts';
import type { PostgresNode } from '../../postgres/node.ts';
import type { Pausable } from './disk-guard.ts';
import type { ReceiverStatus, StoredUpTo } from './receiver.ts';

/** How WAL gets from a server into the directory; `SupervisedReceiver` does everything else. */
export interface WayOfReceiving {
  readonly mode: ReceiverStatus['mode'];
  /** For the log. */
  readonly program: string;
  /** What the server was told to be safe. */
  readonly lastFlushed?: Lsn | undefined;
  /** See {@link ReceiverStatus}. */
  readonly stored?: StoredUpTo | undefined;
  /** Why nothing more becomes safe although WAL arrives, if so. */
  readonly obstacle?: string | undefined;
  /**
   * The segment with which it would go on; undefined where nothing was received yet. Throws a retryable OperatorError while that is not certain: then
   * nothing may be left out.
   */
  missingFrom(segmentBytes: number): Promise<string | undefined>;
  /** Changes whenever WAL arrives. */
  signOfArrival(): Promise<string | undefined>;
  /** Receives as long as it goes. Resolves, or rejects, with why it ended. */
  receive(node: PostgresNode, life: ReceivingLife): Promise<OperatorError>;
}

/** What one attempt to receive tells about itself. */
export interface ReceivingLife {
  readonly signal: AbortSignal;
  /** Resolves once there is room to write segments of this size to. */
  waitForRoom(segmentBytes: number): Promise<void>;
  /** From now on this is paused while the disk is nearly full. */
  began(pausable: Pausable): void;
  /** WAL arrives, `from` there on, in words. */
  settled(from: string): void;
}
