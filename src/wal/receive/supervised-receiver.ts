import type { Clock } from '../../lib/clock.ts';
import { explain, isOperatorError, messageOf, OperatorError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import { countFailure } from '../../lib/metrics.ts';
import type { Random } from '../../lib/random.ts';
import { backoffMs } from '../../lib/retry.ts';
import { connect } from '../../postgres/client.ts';
import type { Lsn } from '../../postgres/lsn.ts';
import type { PostgresNode } from '../../postgres/node.ts';
import { nodeLabel } from '../../postgres/node-label.ts';
import type { WalReceiverOptions } from '../options.ts';
import { type Arrival, ArrivalWatch } from './arrival-watch.ts';
import { DiskGuard, type Pausable, roomForSegment } from './disk-guard.ts';
import { IncomingWal, type IncomingWalDeps } from './incoming-wal.ts';
import { makeMissingSlot } from './make-missing-slot.ts';
import { type NodeOrder, NodeRotation } from './node-order.ts';
import type { ReceiverStatus, StoredUpTo, WalHole, WalReceiver } from './receiver.ts';
import { restartAfterHole, restartOnNewTimeline } from './restart-position.ts';
import { nameSlotHolder } from './slot-holder.ts';

/** How WAL gets from a server into the directory; {@link SupervisedReceiver} does everything else. */
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

export interface SupervisedReceiverDeps extends IncomingWalDeps {
  /** Where received files lie (`xlog_incoming`); made before the receiver starts. */
  readonly directory: string;
  /** Asked again and again: servers come and go, and change their roles. */
  readonly order: () => NodeOrder;
  /** Resolves once it is worth asking for that, and does not take long. Never rejects. */
  readonly orderKnown: (signal: AbortSignal) => Promise<void>;
  readonly guard: WalReceiverOptions;
  /** A failure that a person should know of; it is repeated as long as it lasts. Returns whether the log has it by that. */
  readonly onTrouble: (error: OperatorError) => boolean;
  readonly onRunning: () => void;
  /** What a server said last of itself, asked by somebody else. */
  readonly sampleOf: (node: PostgresNode) => Arrival['sample'];
  /** Begins to watch over an attempt to receive: without progress for long it calls back with the error that is to end it. */
  readonly watch: (onStall: (why: OperatorError) => void) => WatchedReceiving;
  /** WAL had to be left out. */
  readonly onHole: (hole: WalHole) => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface WatchedReceiving {
  progress(): void;
  end(): void;
}

const restartPolicy = { attemptsMax: Number.POSITIVE_INFINITY, delayMsFirst: 500, delayMsMax: 60_000 };
const beatMs = 1000;
/** What may pass by itself is worth an alert when it has not by then. */
const failuresBeforeAlert = 3;

/**
 * Keeps receiving, and archives what has arrived whole.
 *
 * Every end is a failure with a cause; receiving is begun again after 0.5 s to 60 s, on the next node if there are several, and goes over to the primary as soon
 * as it is known. Where WAL that it needs is gone from all of them, it goes on at once behind the hole.
 */
export class SupervisedReceiver implements WalReceiver {
  readonly #deps: SupervisedReceiverDeps;
  readonly #way: WayOfReceiving;
  readonly #incoming: IncomingWal;
  readonly #guard: DiskGuard;
  readonly #end = new AbortController();
  #work: Promise<void> = Promise.resolve();
  #pausable: Pausable | undefined;
  #arrivals = new ArrivalWatch();
  #watched: WatchedReceiving | undefined;
  readonly #rotation: NodeRotation;
  #node: PostgresNode;
  /** Of one attempt. */
  #life = new AbortController();
  /** In a row, without having streamed in between. */
  #failures = 0;
  #lastFailure: OperatorError | undefined;
  #isRunning = false;
  #latestActivity: Date;
  #because = 'just started';

  constructor(deps: SupervisedReceiverDeps, way: WayOfReceiving) {
    this.#deps = deps;
    this.#way = way;
    this.#latestActivity = deps.clock.now();
    this.#incoming = new IncomingWal(deps);
    this.#guard = new DiskGuard(deps);
    this.#rotation = new NodeRotation(deps.order);
    this.#node = this.#rotation.next();
  }

  get status(): ReceiverStatus {
    return {
      mode: this.#way.mode,
      lastFlushed: this.#way.lastFlushed,
      stored: this.#way.stored,
      running: this.#isRunning,
      latestActivity: this.#latestActivity,
      because: [this.#because, this.#way.obstacle].filter((part) => part !== undefined).join('; '),
      waiting: this.#incoming.waiting,
      rejected: this.#incoming.rejected,
    };
  }

  start(): void {
    this.#work = this.#run();
  }

  async stop(): Promise<void> {
    this.#end.abort();
    await this.#work;
    await this.#incoming.settled();
  }

  async #run(): Promise<void> {
    await this.#incoming.open();
    if (this.#deps.order().nodes.some(({ slot }) => slot === null)) this.#warnWithoutSlot();
    const beats = [this.#again(beatMs, () => this.#beat())];
    const { min_disk_free_bytes: min, disk_space_check_interval: seconds } = this.#deps.guard;
    if (min !== null) beats.push(this.#again(seconds * 1000, () => this.#guardDisk()));
    await Promise.all([this.#supervise(), this.#incoming.run(this.#end.signal), ...beats]);
  }

  async #supervise(): Promise<void> {
    const { clock, random, log, site, orderKnown } = this.#deps;
    await orderKnown(this.#end.signal);
    while (!this.#end.signal.aborted) {
      this.#life = new AbortController();
      this.#node = this.#rotation.next();
      const failure = await this.#receive();
      this.#isRunning = false;
      if (this.#end.signal.aborted) return;
      if (this.#life.signal.aborted && failure !== this.#life.signal.reason) continue;
      this.#failures++;
      if (await this.#wayOut(failure)) continue;
      this.#report(failure);
      this.#rotation.failed(this.#node, clock.monotonicMs());
      const delayMs = backoffMs(Math.min(this.#failures, 10), restartPolicy, random);
      log.debug({ site, delayMs: Math.round(delayMs) }, `${this.#way.program} is started again after a while`);
      await clock.sleep(delayMs, AbortSignal.any([this.#end.signal, this.#life.signal])).catch(() => {});
    }
  }

  /** Whatever it does now, be it to wait for the old primary to come back: it begins anew with the new one. */
  #followPrimary(): void {
    const { clock, log, site } = this.#deps;
    const primary = this.#life.signal.aborted ? undefined : this.#rotation.leaderInsteadOf(this.#node, clock.monotonicMs());
    if (primary === undefined) return;
    log.info({ site }, `receiving goes over to ${nodeLabel(primary.conninfo)}, which is the primary`);
    this.#life.abort();
  }

  /** Where there is only one server, a slot that is missing is a mistake that somebody has to see. */
  get #mayMakeSlot(): boolean {
    return this.#rotation.size > 1 && this.#rotation.isLeader(this.#node);
  }

  /** Resolves to why WAL is not being received any more, or could not be. */
  async #receive(): Promise<OperatorError> {
    const failure = await this.#live();
    return failure.code === 'slot-in-use' ? nameSlotHolder(failure, this.#node, this.#end.signal) : failure;
  }

  async #live(): Promise<OperatorError> {
    const life = this.#life;
    this.#arrivals = new ArrivalWatch();
    this.#watched = this.#deps.watch((why) => life.abort(why));
    try {
      return await this.#way.receive(this.#node, this.#beginLife());
    } catch (error) {
      if (isOperatorError(error)) return error;
      // Anything else must not end the supervision for good.
      return new OperatorError('wal-receiver-failed', `${this.#way.program} could not be run`, { cause: error, retryable: true });
    } finally {
      this.#pausable = undefined;
      this.#watched.end();
      this.#watched = undefined;
    }
  }

  #beginLife(): ReceivingLife {
    let own: Pausable | undefined;
    const signal = AbortSignal.any([this.#end.signal, this.#life.signal]);
    return {
      signal,
      waitForRoom: (segmentBytes) => this.#guard.waitForRoom(roomForSegment(segmentBytes), (why) => this.#waits(why), signal),
      began: (pausable) => (this.#pausable = own = pausable),
      settled: (from) => {
        if (own !== undefined && own === this.#pausable && !own.isPaused) this.#settled(from);
      },
    };
  }

  /** Tries what can be done about a failure beside repeating; true where receiving shall begin again at once. */
  async #wayOut(failure: OperatorError): Promise<boolean> {
    const { directory, log, site, clock } = this.#deps;
    if (failure.code === 'slot-missing' && this.#mayMakeSlot) return makeMissingSlot(this.#node, { site, log, signal: this.#end.signal });
    const isRemoved = ['wal-removed', 'slot-lost'].includes(failure.code);
    if (!isRemoved && failure.code !== 'wal-diverged') return false;
    if (isRemoved && this.#failures < this.#rotation.size) return false;
    try {
      const { conninfo, slot } = this.#node;
      await using connection = await connect(conninfo, { replication: true, applicationName: 'pghoard', signal: this.#end.signal });
      if (isRemoved) {
        this.#report(failure);
        const missingFrom = (segmentBytes: number) => this.#way.missingFrom(segmentBytes);
        this.#deps.onHole(await restartAfterHole(connection, { directory, slot, missingFrom, now: clock.now() }));
        return true;
      }
      const from = await restartOnNewTimeline(connection, directory, () => this.#incoming.clear());
      log.warn({ site, from }, `${messageOf(failure)}; receiving goes on where the timeline of the server begins`);
      return true;
    } catch (error) {
      if (!this.#end.signal.aborted) log.error({ site }, `cannot go on behind WAL that is gone: ${explain(error)}`);
      return false;
    }
  }

  #waits(why: OperatorError): void {
    this.#because = messageOf(why);
    this.#deps.onTrouble(why);
  }

  #settled(from: string): void {
    if (this.#isRunning) return;
    const { log, site, onRunning } = this.#deps;
    this.#isRunning = true;
    this.#failures = 0;
    this.#lastFailure = undefined;
    this.#rotation.succeeded(this.#node);
    this.#because = `receiving since ${from}`;
    log.info({ site }, `receiving WAL from ${from}`);
    onRunning();
  }

  /** Once in the log for each cause; the alert is kept up. */
  #report(failure: OperatorError): void {
    const { log, site, metrics, onTrouble } = this.#deps;
    countFailure(metrics, 'walreceiver_run', failure);
    const isNew = this.#lastFailure?.code !== failure.code;
    this.#lastFailure = failure;
    this.#because = messageOf(failure);
    const isWorthAlert = !failure.retryable || this.#failures >= failuresBeforeAlert;
    const isTold = isWorthAlert && onTrouble(failure);
    if (isNew && !isTold) log.error({ site }, `WAL is not being received: ${explain(failure)}`);
  }

  async #beat(): Promise<void> {
    this.#followPrimary();
    if (await this.#isWell()) this.#watched?.progress();
    else return;
    if (this.#isRunning) this.#latestActivity = this.#deps.clock.now();
  }

  /** Who does not receive knows why, and tells. */
  async #isWell(): Promise<boolean> {
    const arrivals = this.#arrivals;
    const sign = await this.#way.signOfArrival();
    return !this.#isRunning || arrivals.isWell({ sign, sample: this.#deps.sampleOf(this.#node) });
  }

  /** Repeats `work` to the end, whatever comes of it. */
  async #again(everyMs: number, work: () => Promise<void>): Promise<void> {
    const { clock, log, site } = this.#deps;
    while (!this.#end.signal.aborted) {
      await work().catch((error: unknown) => log.error({ site }, `watching over the receiver failed: ${explain(error)}`));
      await clock.sleep(everyMs, this.#end.signal).catch(() => {});
    }
  }

  async #guardDisk(): Promise<void> {
    const pausable = this.#pausable;
    const change = pausable && (await this.#guard.check(pausable));
    if (change === undefined) return;
    this.#isRunning = !change.isPaused;
    this.#because = change.because;
  }

  #warnWithoutSlot(): void {
    this.#deps.log.warn(
      { site: this.#deps.site },
      'a node has no replication slot: while WAL is not being received the server keeps it only as long as wal_keep_size tells, then it is lost for the archive',
    );
  }
}
