import { type Clock, systemClock } from '../lib/clock.ts';
import { isOperatorError, OperatorError } from '../lib/errors.ts';
import type { PgConnection } from './client.ts';
import { formatLsn, type Lsn } from './lsn.ts';
import { lostError } from './postgres-error.ts';
import { FrameSocket } from './protocol/frame-socket.ts';
import { type Frame, protocolError, typeName } from './protocol/framing.ts';
import * as messages from './protocol/messages.ts';
import { settleReplication } from './replication.ts';
import { quoteSlot } from './replication-slot.ts';
import type { ReplicationStream, StandbyStatus, StreamMessage, StreamStart, TimelineEnd } from './replication-stream.ts';
import { streamingError } from './streaming-failure.ts';

export interface ReplicationOptions {
  readonly clock?: Clock | undefined;
  /** How long the server may say nothing while it is waited for, as PostgreSQL's `wal_receiver_timeout`. It is asked for a sign of life at half of it. */
  readonly silenceMsMax?: number | undefined;
  /** Ends waiting with its reason. Disposing is still needed, and still polite. */
  readonly signal?: AbortSignal | undefined;
}

const silenceMsMaxDefault = 60_000;
/** How long a server may take to say goodbye. */
const closeWithinMs = 5000;

const { fromServer } = messages;

/**
 * Has the server stream its WAL (START_REPLICATION … PHYSICAL). `connection` must be a replication connection; from then on it is the stream's and looks
 * closed to its owner, also where this throws: what `streamingError` makes of the server's answer (`slot-missing`, `slot-in-use`, `slot-lost`,
 * `wal-diverged`, …; `wal-removed` comes only with the first message), `postgres-unreachable` (retryable) or `postgres-protocol`.
 */
export async function startReplication(
  connection: PgConnection,
  start: StreamStart,
  options: ReplicationOptions = {},
): Promise<ReplicationStream> {
  await settleReplication(connection, options.signal);
  const stream = new WalStream(
    connection.target,
    new FrameSocket(await connection.takeOver(), options.clock ?? systemClock),
    start,
    options,
  );
  try {
    await stream.start();
    return stream;
  } catch (error) {
    await stream[Symbol.asyncDispose]();
    throw error;
  }
}

/** `ending`: the server has ended the timeline and tells what follows. */
type Phase = 'starting' | 'streaming' | 'ending' | 'ended';

class WalStream implements ReplicationStream {
  readonly #target: string;
  readonly #socket: FrameSocket;
  readonly #start: StreamStart;
  readonly #clock: Clock;
  readonly #silenceMsMax: number;
  readonly #signal: AbortSignal | undefined;
  readonly #over = new AbortController();
  #phase: Phase = 'starting';
  #failure: OperatorError | undefined;
  /** Where the next WAL must begin. */
  #expected: Lsn;
  #end: TimelineEnd | undefined;
  /** What the server remarked last; it says why it goes away. */
  #remark: Error | undefined;
  #status: StandbyStatus = { written: 0n, flushed: 0n, applied: 0n };
  #isWriting = false;
  #isStatusDue = false;
  #isReplyWanted = false;

  constructor(target: string, socket: FrameSocket, start: StreamStart, options: ReplicationOptions) {
    this.#target = target;
    this.#socket = socket;
    this.#start = start;
    this.#expected = start.startLsn;
    this.#clock = options.clock ?? systemClock;
    this.#silenceMsMax = options.silenceMsMax ?? silenceMsMaxDefault;
    this.#signal = options.signal;
  }

  async start(): Promise<void> {
    this.#signal?.addEventListener('abort', this.#abort, { once: true });
    void this.#watch();
    const { slot, startLsn, timeline } = this.#start;
    const withSlot = slot === undefined ? '' : `SLOT ${quoteSlot(slot)} `;
    this.#socket.write(
      messages.queryMessage(`START_REPLICATION ${withSlot}PHYSICAL ${formatLsn(startLsn)} TIMELINE ${timeline}`),
      () => {},
    );
    await this.#guarded(() => this.#awaitCopy());
  }

  next(): Promise<StreamMessage | undefined> {
    return this.#guarded(() => this.#next());
  }

  end(): Promise<TimelineEnd | undefined> {
    if (this.#phase !== 'ended') throw new Error('the stream has not ended');
    return Promise.resolve(this.#end);
  }

  sendStatus(status: StandbyStatus): void {
    this.#status = status;
    this.#report();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#letGo();
    await this.#socket.close(Buffer.concat([...this.#lastWords(), messages.terminateMessage]), closeWithinMs);
  }

  #lastWords(): Buffer[] {
    if (this.#phase !== 'streaming') return [];
    return this.#isStatusDue ? [this.#takeStatus(), messages.copyDoneMessage] : [messages.copyDoneMessage];
  }

  /** After a failure of the server there is nothing to be polite about. */
  async #guarded<T>(work: () => Promise<T>): Promise<T> {
    this.#signal?.throwIfAborted();
    if (this.#failure) throw this.#failure;
    try {
      return await work();
    } catch (error) {
      this.#signal?.throwIfAborted();
      this.#failure = isOperatorError(error) ? error : lostError(this.#target, this.#remark ?? error);
      this.#letGo();
      this.#socket.destroy();
      throw this.#failure;
    }
  }

  #letGo(): void {
    this.#signal?.removeEventListener('abort', this.#abort);
    this.#over.abort();
  }

  async #awaitCopy(): Promise<void> {
    const frame = await this.#receive();
    if (frame.type === fromServer.copyBothResponse) this.#phase = 'streaming';
    // Where the timeline ends at the start there is nothing to copy, and the server says at once what follows.
    else if (frame.type === fromServer.rowDescription) await this.#awaitEnd();
    else throw unexpected(frame, 'START_REPLICATION');
  }

  async #next(): Promise<StreamMessage | undefined> {
    if (this.#phase === 'ended') return undefined;
    const frame = await this.#receive();
    switch (frame.type) {
      case fromServer.copyData:
        return this.#checked(messages.parseStreamMessage(frame.body));
      case fromServer.copyDone:
        this.#socket.write(messages.copyDoneMessage, () => {});
        await this.#awaitEnd();
        return undefined;
      case fromServer.commandComplete:
        // So a walsender says goodbye when the server shuts down; it closes then.
        this.#phase = 'ended';
        return undefined;
      default:
        throw unexpected(frame, 'streaming');
    }
  }

  #checked(message: StreamMessage): StreamMessage {
    if (message.kind === 'keepalive') return message;
    if (message.startLsn !== this.#expected) {
      throw protocolError(`WAL from ${formatLsn(message.startLsn)} on where ${formatLsn(this.#expected)} comes next`);
    }
    this.#expected = messages.endOfWal(message);
    return message;
  }

  /** The row that says what follows the timeline, then the end of the command. */
  async #awaitEnd(): Promise<void> {
    this.#phase = 'ending';
    for (;;) {
      const frame = await this.#receive();
      switch (frame.type) {
        case fromServer.rowDescription:
        case fromServer.commandComplete:
          break;
        case fromServer.dataRow:
          this.#end = this.#checkedEnd(messages.parseTimelineEnd(frame.body));
          break;
        case fromServer.readyForQuery:
          this.#phase = 'ended';
          return;
        default:
          throw unexpected(frame, 'the end of the timeline');
      }
    }
  }

  /** A server may have streamed beyond the place where its new timeline forks off, but must not have kept anything before it back. */
  #checkedEnd(end: TimelineEnd): TimelineEnd {
    if (end.nextTimeline <= this.#start.timeline)
      throw protocolError(`timeline ${end.nextTimeline} after timeline ${this.#start.timeline}`);
    if (end.switchLsn > this.#expected) {
      throw protocolError(
        `timeline ${end.nextTimeline} begins at ${formatLsn(end.switchLsn)}, but the one before ended at ${formatLsn(this.#expected)}`,
      );
    }
    return end;
  }

  /** The next frame that is not about something else. */
  async #receive(): Promise<Frame> {
    for (;;) {
      const frame = await this.#socket.receive();
      if (frame.type === fromServer.errorResponse) throw streamingError(this.#target, messages.parseReport(frame.body));
      if (frame.type === fromServer.noticeResponse) this.#remark = new Error(messages.parseReport(frame.body).message);
      else if (frame.type !== fromServer.parameterStatus) return frame;
    }
  }

  /** One update is on its way at a time; of those that come meanwhile only the newest counts. */
  #report(): void {
    if (this.#phase !== 'streaming') return;
    this.#isStatusDue = this.#isWriting;
    if (this.#isWriting) return;
    this.#isWriting = true;
    this.#socket.write(this.#takeStatus(), () => {
      this.#isWriting = false;
      if (this.#isStatusDue && !this.#over.signal.aborted) this.#report();
    });
  }

  #takeStatus(): Buffer {
    const message = messages.statusMessage(this.#status, this.#clock.now(), this.#isReplyWanted);
    this.#isReplyWanted = false;
    return message;
  }

  /** Has a server that says nothing give a sign of life, and gives up one that does not. */
  async #watch(): Promise<void> {
    const { signal } = this.#over;
    /** The silence for which it was asked. */
    let askedIn: number | undefined;
    while (!signal.aborted) {
      const { silentSinceMs } = this.#socket;
      const silentMs = silentSinceMs === undefined ? 0 : this.#clock.monotonicMs() - silentSinceMs;
      if (silentMs >= this.#silenceMsMax) this.#socket.fail(this.#silence());
      if (silentMs >= this.#silenceMsMax / 2 && askedIn !== silentSinceMs) {
        askedIn = silentSinceMs;
        this.#isReplyWanted = true;
        this.#report();
      }
      const deadlineMs = silentMs < this.#silenceMsMax / 2 ? this.#silenceMsMax / 2 : this.#silenceMsMax;
      await this.#clock.sleep(Math.max(deadlineMs - silentMs, 1), signal).catch(() => {});
    }
  }

  #silence(): OperatorError {
    return lostError(this.#target, new Error(`it has said nothing for ${this.#silenceMsMax / 1000} seconds`));
  }

  readonly #abort = (): void => {
    this.#socket.fail(this.#signal?.reason as Error);
  };
}

function unexpected({ type }: Frame, where: string): OperatorError {
  return protocolError(`a message of type ${typeName(type)} in answer to ${where}`);
}
