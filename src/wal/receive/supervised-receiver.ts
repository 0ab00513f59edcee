import type { Clock } from '../../lib/clock.ts';
import { explain, isOperatorError, OperatorError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import type { Random } from '../../lib/random.ts';
import { backoffMs } from '../../lib/retry.ts';
import type { PostgresNode } from '../../postgres/node.ts';
import { nodeLabel } from '../../postgres/node-label.ts';
import type { WalReceiverOptions } from '../options.ts';
import { type Arrival, ArrivalWatch } from './arrival-watch.ts';
import { DiskGuard, type Pausable, roomForSegment } from './disk-guard.ts';
import { IncomingWal, type IncomingWalDeps } from './incoming-wal.ts';
import { type NodeOrder, NodeRotation } from './node-order.ts';
import type { ReceiverStatus, WalHole, WalReceiver } from './receiver.ts';
import { ReceiverStanding, type ReceiverStandingDeps } from './receiver-standing.ts';
import { nameSlotHolder } from './slot-holder.ts';
import type { ReceivingLife, WayOfReceiving } from './way-of-receiving.ts';
import { findWayOut } from './way-out.ts';

export interface SupervisedReceiverDeps extends IncomingWalDeps, Pick<ReceiverStandingDeps, 'onTrouble' | 'onRunning'> {
  /** Where received files lie (`xlog_incoming`); made before the receiver starts. */
  readonly directory: string;
  /** Asked again and again: servers come and go, and change their roles. */
  readonly order: () => NodeOrder;
  /** Resolves once it is worth asking for that, and does not take long. Never rejects. */
  readonly orderKnown: (signal: AbortSignal) => Promise<void>;
  readonly guard: WalReceiverOptions;
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
  readonly #standing: ReceiverStanding;

  constructor(deps: SupervisedReceiverDeps, way: WayOfReceiving) {
    this.#deps = deps;
    this.#way = way;
    this.#standing = new ReceiverStanding(deps);
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
      running: this.#standing.isRunning,
      latestActivity: this.#standing.latestActivity,
      because: [this.#standing.because, this.#way.obstacle].filter((part) => part !== undefined).join('; '),
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
      this.#standing.ended();
      if (this.#end.signal.aborted) return;
      if (this.#life.signal.aborted && failure !== this.#life.signal.reason) continue;
      this.#standing.failed();
      if (await this.#wayOut(failure)) continue;
      this.#standing.report(failure);
      this.#rotation.failed(this.#node, clock.monotonicMs());
      const delayMs = backoffMs(Math.min(this.#standing.failures, 10), restartPolicy, random);
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
      waitForRoom: (segmentBytes) => this.#guard.waitForRoom(roomForSegment(segmentBytes), (why) => this.#standing.waits(why), signal),
      began: (pausable) => (this.#pausable = own = pausable),
      settled: (from) => {
        if (own !== undefined && own === this.#pausable && !own.isPaused) this.#settled(from);
      },
    };
  }

  #wayOut(error: OperatorError): Promise<boolean> {
    const node = this.#node;
    const failure = {
      error,
      node,
      mayMakeSlot: this.#rotation.size > 1 && this.#rotation.isLeader(node),
      isLastServer: this.#standing.failures >= this.#rotation.size,
    };
    return findWayOut(failure, {
      ...this.#deps,
      missingFrom: (segmentBytes) => this.#way.missingFrom(segmentBytes),
      report: (why) => this.#standing.report(why),
      clearIncoming: () => this.#incoming.clear(),
      signal: this.#end.signal,
    });
  }

  #settled(from: string): void {
    if (this.#standing.isRunning) return;
    this.#rotation.succeeded(this.#node);
    this.#standing.settled(from);
  }

  async #beat(): Promise<void> {
    this.#followPrimary();
    if (await this.#isWell()) this.#watched?.progress();
    else return;
    this.#standing.seen();
  }

  /** Who does not receive knows why, and tells. */
  async #isWell(): Promise<boolean> {
    const arrivals = this.#arrivals;
    const sign = await this.#way.signOfArrival();
    return !this.#standing.isRunning || arrivals.isWell({ sign, sample: this.#deps.sampleOf(this.#node) });
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
    this.#standing.paused(change.isPaused, change.because);
  }

  #warnWithoutSlot(): void {
    this.#deps.log.warn(
      { site: this.#deps.site },
      'a node has no replication slot: while WAL is not being received the server keeps it only as long as wal_keep_size tells, then it is lost for the archive',
    );
  }
}
