import { join } from 'node:path';
import type { Clock } from '../../lib/clock.ts';
import { explain, isOperatorError, messageOf, OperatorError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import type { Random } from '../../lib/random.ts';
import { backoffMs } from '../../lib/retry.ts';
import { connect } from '../../postgres/client.ts';
import { resolveConninfo } from '../../postgres/conninfo.ts';
import type { PostgresNode } from '../../postgres/node.ts';
import { findProgram, type ProgramSearch } from '../../postgres/programs.ts';
import { readServerFacts, type ServerFacts } from '../../postgres/replication.ts';
import { majorOf } from '../../postgres/versions.ts';
import { checkWalSegment } from '../../postgres/wal-page.ts';
import type { WalReceiverOptions } from '../options.ts';
import { untilAborted } from '../until-aborted.ts';
import type { ClusterFacts } from '../wal-source.ts';
import { freeBytesOf, guardStep } from './disk-guard.ts';
import { IncomingWal } from './incoming-wal.ts';
import { endLeftoverReceivers } from './leftover-receivers.ts';
import { firstBytes, lastReceived, mendPartials } from './partial-files.ts';
import type { ReceiverStatus, WalHole, WalReceiver } from './receiver.ts';
import { ReceivewalProcess, receivewalCommand } from './receivewal-process.ts';
import { restartAfterHole, restartOnNewTimeline } from './restart-position.ts';

export interface PgReceivewalDeps {
  readonly site: string;
  /** Where the receiver writes (`xlog_incoming`); made before it starts. */
  readonly directory: string;
  readonly nodes: readonly PostgresNode[];
  readonly programs: Omit<ProgramSearch, 'major'>;
  readonly guard: WalReceiverOptions;
  /** What is known of the cluster from elsewhere: WAL of another one is not received. */
  readonly cluster: () => ClusterFacts;
  /** Told what the server says of itself. */
  readonly onServer: (facts: ClusterFacts) => void;
  readonly archive: (name: string, path: string) => Promise<unknown>;
  /** A failure that a person should know of; it is repeated as long as it lasts. */
  readonly onTrouble: (error: OperatorError) => void;
  readonly onRunning: () => void;
  /** WAL had to be left out. */
  readonly onHole: (hole: WalHole) => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Ends uploads. */
  readonly signal: AbortSignal;
}

const restartPolicy = { attemptsMax: Number.POSITIVE_INFINITY, delayMsFirst: 500, delayMsMax: 60_000 };
/** A receiver that has streamed for so long was not refused. */
const settleMs = 1000;
const beatMs = 1000;
/** What may pass by itself is worth an alert when it has not by then. */
const failuresBeforeAlert = 3;
const headerBytes = 8192;

/**
 * `active_backup_mode: pg_receivexlog`: keeps a pg_receivewal running and archives what it finishes.
 *
 * Every end of the child is a failure with a cause; it is started again after 0.5 s to 60 s, on the next node if there are several. Where WAL that
 * it needs is gone from all of them, receiving goes on at once behind the hole.
 */
export class PgReceivewal implements WalReceiver {
  readonly #deps: PgReceivewalDeps;
  readonly #incoming: IncomingWal;
  readonly #end = new AbortController();
  #work: Promise<void> = Promise.resolve();
  #child: ReceivewalProcess | undefined;
  #node = 0;
  /** In a row, without having streamed in between. */
  #failures = 0;
  #lastFailure: OperatorError | undefined;
  #isRunning = false;
  #latestActivity: Date;
  #because = 'just started';

  constructor(deps: PgReceivewalDeps) {
    this.#deps = deps;
    this.#latestActivity = deps.clock.now();
    this.#incoming = new IncomingWal(deps);
  }

  get status(): ReceiverStatus {
    return {
      running: this.#isRunning,
      latestActivity: this.#latestActivity,
      because: this.#because,
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
    if (this.#deps.nodes.some(({ slot }) => slot === null)) this.#warnWithoutSlot();
    const beats = [this.#again(beatMs, () => this.#beat())];
    const { min_disk_free_bytes: min, disk_space_check_interval: seconds } = this.#deps.guard;
    if (min !== null) beats.push(this.#again(seconds * 1000, () => this.#guardDisk()));
    await Promise.all([this.#supervise(), this.#incoming.run(this.#end.signal), ...beats]);
  }

  async #supervise(): Promise<void> {
    const { clock, random, log, site, nodes } = this.#deps;
    while (!this.#end.signal.aborted) {
      const failure = await this.#receive();
      this.#isRunning = false;
      if (this.#end.signal.aborted) return;
      this.#failures++;
      if (await this.#wayOut(failure)) continue;
      this.#report(failure);
      this.#node = (this.#node + 1) % nodes.length;
      const delayMs = backoffMs(Math.min(this.#failures, 10), restartPolicy, random);
      log.debug({ site, delayMs: Math.round(delayMs) }, 'pg_receivewal is started again after a while');
      await clock.sleep(delayMs, this.#end.signal).catch(() => {});
    }
  }

  /** Resolves to why WAL is not being received any more, or could not be. */
  async #receive(): Promise<OperatorError> {
    try {
      return await this.#liveOnce();
    } catch (error) {
      if (isOperatorError(error)) return error;
      // Anything else must not end the supervision for good.
      return new OperatorError('wal-receiver-failed', 'pg_receivewal could not be run', { cause: error, retryable: true });
    }
  }

  /** One life of the child; resolves to why it ended. */
  async #liveOnce(): Promise<OperatorError> {
    const { directory, clock, log, site } = this.#deps;
    const { conninfo, slot } = this.#deps.nodes[this.#node] as PostgresNode;
    const node = await resolveConninfo(conninfo, process.env, { replication: true });
    const server = await this.#askServer();
    await this.#checkIdentity(server);
    const program = await findProgram('pg_receivewal', { ...this.#deps.programs, major: majorOf(server.version) });
    const ended = await endLeftoverReceivers(directory, clock, this.#end.signal);
    if (ended.length > 0) log.warn({ site, pid: ended.join(',') }, 'ended a receiver that an earlier pghoard left running');
    for (const name of await mendPartials(directory, server.segmentBytes)) {
      log.warn({ site, name }, 'emptied a partial WAL segment of odd size; it is received again, what was in it is in .partial_incomplete');
    }
    await this.#waitForRoom();
    await using child = await ReceivewalProcess.start(receivewalCommand(program.path, { node, directory, slot }), (line) =>
      this.#hear(line),
    );
    this.#child = child;
    try {
      return await untilAborted(child.ended(), this.#end.signal);
    } finally {
      this.#child = undefined;
    }
  }

  async #askServer(): Promise<ServerFacts> {
    const { nodes, onServer } = this.#deps;
    const { conninfo } = nodes[this.#node] as PostgresNode;
    await using connection = await connect(conninfo, { replication: true, applicationName: 'pghoard', signal: this.#end.signal });
    const facts = await readServerFacts(connection);
    onServer({ systemIdentifier: facts.systemIdentifier, segmentBytes: facts.segmentBytes, pgVersion: facts.version });
    return facts;
  }

  /** WAL of two clusters must not meet in one directory, nor in one archive. */
  async #checkIdentity({ systemIdentifier, segmentBytes }: ServerFacts): Promise<void> {
    const known = this.#deps.cluster().systemIdentifier;
    if (known !== undefined && known !== systemIdentifier) {
      throw new OperatorError('cluster-mismatch', `the server has the system identifier ${systemIdentifier}, the data directory ${known}`, {
        hint: '"nodes" and "pg_data_directory" must belong to one cluster.',
      });
    }
    const last = await lastReceived(this.#deps.directory);
    if (last === undefined || last.isPartial) return;
    try {
      const path = join(this.#deps.directory, last.name);
      checkWalSegment(last.name, await firstBytes(path, headerBytes), { systemIdentifier, segmentBytes });
    } catch (error) {
      throw new OperatorError('cluster-mismatch', `${last.name}, which was received last, is not from this server`, {
        cause: error,
        hint: `A cluster that was made anew needs a site of its own. If this is the right one, empty ${this.#deps.directory}.`,
      });
    }
  }

  /** Tries what can be done about a failure beside repeating; true where receiving shall begin again at once. */
  async #wayOut(failure: OperatorError): Promise<boolean> {
    const { nodes, directory, log, site } = this.#deps;
    const isRemoved = ['wal-removed', 'slot-lost'].includes(failure.code);
    if (!isRemoved && failure.code !== 'wal-diverged') return false;
    if (isRemoved && this.#failures < nodes.length) return false;
    try {
      const { conninfo, slot } = nodes[this.#node] as PostgresNode;
      await using connection = await connect(conninfo, { replication: true, applicationName: 'pghoard', signal: this.#end.signal });
      if (isRemoved) {
        this.#report(failure);
        this.#deps.onHole(await restartAfterHole(connection, directory, slot, this.#deps.clock.now()));
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

  #hear(line: string): void {
    const { log, site, clock } = this.#deps;
    if (/\b(error|warning|fatal):/i.test(line)) log.warn({ site, said: line }, 'pg_receivewal says');
    else log.debug({ site, said: line }, 'pg_receivewal says');
    const from = /starting log streaming at (\S+) \(timeline (\d+)\)/.exec(line);
    if (!from) return;
    const child = this.#child;
    clock.sleep(settleMs, this.#end.signal).then(
      () => child !== undefined && child === this.#child && !child.isPaused && this.#settled(`${from[1]} on timeline ${from[2]}`),
      () => {},
    );
  }

  #settled(from: string): void {
    if (this.#isRunning) return;
    const { log, site, onRunning } = this.#deps;
    this.#isRunning = true;
    this.#failures = 0;
    this.#lastFailure = undefined;
    this.#because = `receiving since ${from}`;
    log.info({ site, pid: this.#child?.pid }, `receiving WAL from ${from}`);
    onRunning();
  }

  /** Once in the log for each cause; the alert is kept up. */
  #report(failure: OperatorError): void {
    const { log, site, onTrouble } = this.#deps;
    const isNew = this.#lastFailure?.code !== failure.code;
    this.#lastFailure = failure;
    this.#because = messageOf(failure);
    if (isNew) log.error({ site }, `WAL is not being received: ${explain(failure)}`);
    if (!failure.retryable || this.#failures >= failuresBeforeAlert) onTrouble(failure);
  }

  async #beat(): Promise<void> {
    if (this.#isRunning) this.#latestActivity = this.#deps.clock.now();
  }

  /** Repeats `work` to the end, whatever comes of it. */
  async #again(everyMs: number, work: () => Promise<void>): Promise<void> {
    const { clock, log, site } = this.#deps;
    while (!this.#end.signal.aborted) {
      await work().catch((error: unknown) => log.error({ site }, `watching over the receiver failed: ${explain(error)}`));
      await clock.sleep(everyMs, this.#end.signal).catch(() => {});
    }
  }

  async #waitForRoom(): Promise<void> {
    const { guard, directory, clock, log, site } = this.#deps;
    for (let isPaused = false; !this.#end.signal.aborted; isPaused = true) {
      const free = await freeBytesOf(directory);
      const step = guardStep(isPaused, free, guard);
      if (step === 'resume' || (step === 'stay' && !isPaused)) return;
      this.#because = lowDisk(free, directory);
      if (!isPaused) log.warn({ site }, this.#because);
      await clock.sleep(guard.disk_space_check_interval * 1000, this.#end.signal);
    }
  }

  async #guardDisk(): Promise<void> {
    const child = this.#child;
    if (child !== undefined) this.#guard(child, await freeBytesOf(this.#deps.directory));
  }

  #guard(child: ReceivewalProcess, free: number): void {
    const { guard, directory, log, site } = this.#deps;
    const step = guardStep(child.isPaused, free, guard);
    if (step === 'pause') {
      child.pause();
      this.#isRunning = false;
      this.#because = lowDisk(free, directory);
      log.warn({ site }, this.#because);
    } else if (step === 'resume') {
      child.resume();
      this.#isRunning = true;
      this.#because = 'receiving again after a pause';
      log.info({ site, free }, 'receiving WAL again, there is room');
    }
  }

  #warnWithoutSlot(): void {
    this.#deps.log.warn(
      { site: this.#deps.site },
      'a node has no replication slot: while WAL is not being received the server keeps it only as long as wal_keep_size tells, then it is lost for the archive',
    );
  }
}

function lowDisk(free: number, directory: string): string {
  return `receiving of WAL is paused: only ${free} bytes are free in ${directory}`;
}
