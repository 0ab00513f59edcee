import type { Catalog } from '../../catalog/catalog.ts';
import type { Clock } from '../../lib/clock.ts';
import { explain, isOperatorError, OperatorError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import type { PgConnection } from '../../postgres/client.ts';
import { formatLsn, type Lsn } from '../../postgres/lsn.ts';
import type { PostgresNode } from '../../postgres/node.ts';
import { readTimelineHistory, type ServerFacts } from '../../postgres/replication.ts';
import { canReadSlots, createPhysicalSlot, readSlot } from '../../postgres/replication-slot.ts';
import type { TimelineEnd } from '../../postgres/replication-stream.ts';
import { startReplication } from '../../postgres/start-replication.ts';
import type { TimelineSwitch } from '../../postgres/timeline-history.ts';
import { walNameOf } from '../../postgres/wal-name.ts';
import type { Pausable } from './disk-guard.ts';
import type { WalDurability } from './durability.ts';
import { keepHistories } from './keep-histories.ts';
import { findMissing } from './missing-segment.ts';
import { lastReceived, plantStart } from './partial-files.ts';
import type { StoredUpTo } from './receiver.ts';
import { connectToServer, type ReceivingServerDeps } from './receiving-server.ts';
import { SegmentWriter } from './segment-writer.ts';
import { decideStart, type RememberedPosition, type Start, type StoredPosition } from './start-position.ts';
import { readStoredPosition } from './stored-position.ts';
import { StreamReceiver } from './stream-receiver.ts';
import type { ReceivingLife, WayOfReceiving } from './way-of-receiving.ts';

export interface WalreceiverDeps extends ReceivingServerDeps {
  readonly site: string;
  /** The site's own first, then those of the sites that it was moved from. */
  readonly catalog: Catalog;
  /** That of the site, and of those sites that it was moved from which are of the same cluster. */
  readonly relatives: (signal: AbortSignal) => Promise<readonly Catalog[]>;
  readonly durability: WalDurability;
  /** What an earlier life left in the state file. */
  readonly remembered: RememberedPosition | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/** How `synchronous_standby_names` calls us, unless the connection string says otherwise. */
export const walreceiverName = 'pghoard_walreceiver';

/** A server that has not refused by then streams, even if it has nothing to say. */
const settleMs = 1000;
/** How long the store may think about where it ends. */
const storeWithinMs = 10_000;
const nothingMore: StoredPosition = { last: undefined, newestTimeline: undefined };

/** `active_backup_mode: walreceiver`: our own client of the replication protocol. */
export class Walreceiver implements WayOfReceiving {
  readonly mode = 'walreceiver';
  readonly program = 'walreceiver';
  readonly #deps: WalreceiverDeps;
  #lastFlushed: Lsn | undefined;
  #stored: StoredUpTo | undefined;
  /** Up to where WAL has arrived. */
  #written: (() => Lsn) | undefined;
  /** Once it is, the directory tells all: nobody else stores what comes next. */
  #isStoreKnown = false;
  /** The segment that is to come next; undefined while it is not known for certain. */
  #next: (() => string) | undefined;

  constructor(deps: WalreceiverDeps) {
    this.#deps = deps;
    this.#lastFlushed = deps.remembered?.lsn;
  }

  /** What the server was told to be safe. */
  get lastFlushed(): Lsn | undefined {
    return this.#lastFlushed;
  }

  get stored(): StoredUpTo | undefined {
    return this.#stored;
  }

  get obstacle(): string | undefined {
    return this.#deps.durability.obstacle;
  }

  async signOfArrival(): Promise<string | undefined> {
    return this.#written?.().toString();
  }

  missingFrom(): Promise<string> {
    if (this.#next) return Promise.resolve(this.#next());
    throw new OperatorError('wal-position-unknown', 'the store does not tell what it has, so that nobody knows what is missing', {
      retryable: true,
    });
  }

  async receive(node: PostgresNode, life: ReceivingLife): Promise<OperatorError> {
    for (;;) {
      const end = await this.#receiveTimeline(node, life);
      if (end === undefined) {
        return new OperatorError('postgres-unreachable', 'the server ended the stream: it is being shut down', { retryable: true });
      }
      const { nextTimeline, switchLsn, segmentBytes } = end;
      const from = walNameOf(switchLsn, nextTimeline, segmentBytes);
      // From here on this is where receiving begins, also after a crash.
      await plantStart(this.#deps.directory, from);
      this.#deps.log.info({ site: this.#deps.site, from }, `the timeline has ended at ${formatLsn(switchLsn)}, ${nextTimeline} follows`);
    }
  }

  async #receiveTimeline(node: PostgresNode, life: ReceivingLife): Promise<(TimelineEnd & { segmentBytes: number }) | undefined> {
    const { directory, clock, durability } = this.#deps;
    const options = { applicationName: walreceiverName, signal: life.signal };
    const { connection, server } = await connectToServer(node, this.#deps, options);
    await using _connection = connection;
    const { segmentBytes } = server;
    const { timeline, lsn: startLsn } = await this.#prepare(connection, server, node, life);
    const place = { timeline, startLsn, segmentBytes };
    await using writer = new SegmentWriter({ ...place, directory });
    this.#written = () => writer.written;
    this.#next &&= () => writer.segment;
    const pause = new AbortController();
    const signal = AbortSignal.any([life.signal, pause.signal]);
    await using stream = await startReplication(connection, { startLsn, timeline, slot: node.slot ?? undefined }, { clock, signal });
    await using followed = durability.follow(place, () => {
      this.#lastFlushed = followed.durable;
      if (durability.isInStore) this.#stored = { timeline, lsn: followed.durable };
      receiver.report();
    });
    const settle = () => life.settled(`${formatLsn(startLsn)} on timeline ${timeline}`);
    const receiver = new StreamReceiver({ stream, writer, followed, onMessage: settle, clock });
    life.began(pausing(pause));
    using _settling = later(settle, settleMs, clock);
    const end = await receiver.run();
    return end && { ...end, segmentBytes };
  }

  /** Everything that has to be so before WAL may come. */
  async #prepare(connection: PgConnection, server: ServerFacts, { slot }: PostgresNode, life: ReceivingLife): Promise<Start> {
    const { site, log, catalog, directory } = this.#deps;
    await life.waitForRoom(server.segmentBytes);
    const slotLsn = slot === null ? undefined : await this.#reserve(connection, slot);
    const history = await readTimelineHistory(connection, server.timeline);
    const start = await this.#decideStart(server, history, slotLsn, life.signal);
    const first = walNameOf(start.lsn, start.timeline, server.segmentBytes);
    this.#next = start.isCertain ? () => first : undefined;
    const timelines = [...history.map(({ timeline }) => timeline), server.timeline];
    await keepHistories(connection, timelines, { site, directory, catalog, log }, life.signal);
    log.debug({ site, from: first }, `receiving begins at ${formatLsn(start.lsn)}: ${start.because}`);
    return start;
  }

  /** A slot that is missing is made, and holds WAL from this moment on. Resolves to where it begins, if the server tells. */
  async #reserve(connection: PgConnection, slot: string): Promise<Lsn | undefined> {
    const { log, site } = this.#deps;
    const read = async () => (canReadSlots(connection) ? readSlot(connection, slot) : undefined);
    const found = await read();
    if (found !== undefined) return found.restartLsn;
    const reserveWal = connection.serverVersion >= 90_600;
    if (await createPhysicalSlot(connection, slot, { reserveWal })) log.info({ site, slot }, 'made the replication slot');
    return (await read())?.restartLsn;
  }

  async #decideStart(
    server: ServerFacts,
    history: readonly TimelineSwitch[],
    slotLsn: Lsn | undefined,
    signal: AbortSignal,
  ): Promise<Start> {
    const received = await lastReceived(this.#deps.directory);
    const isFollowed = this.#isStoreKnown && received !== undefined;
    const stored = isFollowed ? nothingMore : await this.#askStore(server, history, slotLsn, signal);
    this.#isStoreKnown ||= stored !== undefined;
    return decideStart({ server, history, received, stored, remembered: this.#deps.remembered, slotLsn });
  }

  /** Undefined where it does not answer. */
  async #askStore(
    server: ServerFacts,
    history: readonly TimelineSwitch[],
    slotLsn: Lsn | undefined,
    signal: AbortSignal,
  ): Promise<StoredPosition | undefined> {
    const { site, log, relatives, directory } = this.#deps;
    const limit = AbortSignal.timeout(storeWithinMs);
    const within = AbortSignal.any([signal, limit]);
    try {
      const catalogs = await relatives(within);
      const position = await readStoredPosition(catalogs, server, history, within);
      const { last } = position;
      if (slotLsn === undefined || last === undefined) return position;
      return { ...position, missing: await findMissing(catalogs, directory, { ...server, history, slotLsn, last }, within) };
    } catch (error) {
      signal.throwIfAborted();
      if (!limit.aborted && !isOperatorError(error)) throw error;
      log.warn({ site }, `the store does not tell how far it reaches: ${explain(error)}`);
      return undefined;
    }
  }
}

/** The connection is not kept in a pause: a server that is to stop would wait until we have received all it has. */
function pausing(pause: AbortController): Pausable {
  return {
    get isPaused() {
      return pause.signal.aborted;
    },
    pause: (why) => pause.abort(why),
    resume() {},
  };
}

/** Calls back once after a while, unless disposed of before. */
function later(call: () => void, ms: number, clock: Clock): Disposable {
  const end = new AbortController();
  clock.sleep(ms, end.signal).then(call, () => {});
  return { [Symbol.dispose]: () => end.abort() };
}
