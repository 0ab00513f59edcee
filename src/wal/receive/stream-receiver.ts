import type { Clock } from '../../lib/clock.ts';
import { OperatorError } from '../../lib/errors.ts';
import type { ReplicationStream, TimelineEnd } from '../../postgres/replication-stream.ts';
import type { FollowedWal } from './durability.ts';
import type { SegmentWriter } from './segment-writer.ts';

export interface StreamReceiverDeps {
  readonly stream: ReplicationStream;
  readonly writer: SegmentWriter;
  readonly followed: FollowedWal;
  /** The server answers, and sends WAL as it comes. */
  readonly onMessage: () => void;
  readonly clock: Clock;
}

/** What is on its way all the time is made durable so often; otherwise as soon as nothing more is there. */
const flushEveryMs = 100;
/** Also for a server that gives up silent receivers soon (`wal_sender_timeout`). */
const statusEveryMs = 1000;

/** A server that is to stop asks again as soon as it is answered. Any other asks only one that has been silent for half of `wal_sender_timeout`. */
const askedAgainMsMax = 500;
/** How long it waits until all WAL is safe: for ever as long as it is answered (walsender.c, WalSndDone). */
const heldUpMsMax = 10_000;

/**
 * Writes what a server streams. One fsync serves everything that has arrived by then. The server hears at once what is safe by now, and once a second
 * in any case: also while nothing can be stored. A server that is to stop is not held up by that for long: what is not safe yet it sends again.
 */
export class StreamReceiver {
  readonly #deps: StreamReceiverDeps;
  #flushedAtMs: number;
  #askedAtMs = Number.NEGATIVE_INFINITY;
  #heldUpSinceMs = 0;

  constructor(deps: StreamReceiverDeps) {
    this.#deps = deps;
    this.#flushedAtMs = deps.clock.monotonicMs();
  }

  /** Tells the server how far we are. */
  report(): void {
    const { stream, writer, followed } = this.#deps;
    // Nothing is ever applied here: with synchronous_commit = remote_apply a commit must not return because of us.
    stream.sendStatus({ written: writer.written, flushed: followed.durable, applied: 0n });
  }

  /** Resolves at the end of the timeline to what follows; to undefined where the server stops. Rejects with what the stream and the disk say. */
  async run(): Promise<TimelineEnd | undefined> {
    const end = new AbortController();
    const reporting = this.#keepReporting(end.signal);
    try {
      await this.#receiveAll();
      await this.#flush();
      return await this.#deps.stream.end();
    } finally {
      end.abort();
      await reporting;
    }
  }

  async #receiveAll(): Promise<void> {
    const { stream, writer, onMessage } = this.#deps;
    for (;;) {
      const next = stream.next();
      if (this.#isFlushDue() || !(await isHere(next))) await this.#flush(next);
      const message = await next;
      if (message === undefined) return;
      onMessage();
      if (message.kind === 'wal') await writer.append(message.bytes);
      else if (message.replyRequested) {
        this.#leaveIfStopping();
        this.report();
      }
    }
  }

  #leaveIfStopping(): void {
    const { clock, writer, followed } = this.#deps;
    const now = clock.monotonicMs();
    if (followed.durable === writer.written || now - this.#askedAtMs > askedAgainMsMax) this.#heldUpSinceMs = now;
    this.#askedAtMs = now;
    if (now - this.#heldUpSinceMs < heldUpMsMax) return;
    throw new OperatorError('postgres-unreachable', 'the server is being shut down, and waits for WAL to be stored: it is let go', {
      retryable: true,
      hint: 'What is not stored yet waits here, and the server keeps it for its slot.',
    });
  }

  #isFlushDue(): boolean {
    return this.#deps.clock.monotonicMs() - this.#flushedAtMs >= flushEveryMs;
  }

  /** What `next` may fail with meanwhile is for whoever waits for it. */
  async #flush(next?: Promise<unknown>): Promise<void> {
    const { writer, followed, clock } = this.#deps;
    next?.catch(() => {});
    await writer.flush();
    this.#flushedAtMs = clock.monotonicMs();
    followed.received(writer.flushed);
  }

  async #keepReporting(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.report();
      await this.#deps.clock.sleep(statusEveryMs, signal).catch(() => {});
    }
  }
}

/** Whether it is settled by the time that all which has arrived at the socket is read. */
async function isHere(next: Promise<unknown>): Promise<boolean> {
  const settled = next.then(
    () => true,
    () => true,
  );
  return Promise.race([settled, turns()]);
}

/** Two turns of the event loop: the first may end before the socket was looked at. */
async function turns(): Promise<false> {
  for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setImmediate(resolve));
  return false;
}
