import { mkdir, statfs } from 'node:fs/promises';
import type { CodecPool } from '../codec/pool.ts';
import { type Clock, systemClock } from '../lib/clock.ts';
import { isOperatorError, messageOf, OperatorError } from '../lib/errors.ts';
import { Limiter } from '../lib/limiter.ts';
import type { Log } from '../lib/log.ts';
import type { Metrics } from '../lib/metrics.ts';
import { type RetryPolicy, retry } from '../lib/retry.ts';
import { shuttingDown } from '../lib/shutting-down.ts';
import { Urgency, urgent } from '../lib/urgency.ts';
import { classifyWalFile } from '../postgres/wal-name.ts';
import { type FetchedWal, placeFile } from './fetched-wal.ts';
import { fileIdentity } from './file-identity.ts';
import { namesAhead } from './names-ahead.ts';
import { type DepthRange, segmentsFitting } from './prefetch-depth.ts';
import { PrefetchPace } from './prefetch-pace.ts';
import { type Begun, Prefetcher } from './prefetcher.ts';
import { type OpenedWal, openStoredWal, openUnfinishedWal, type ReceivedWal, receiveWal, type WalSource } from './stored-wal.ts';
import { verifyWal } from './unseal-wal.job.ts';
import { assertNoHole, notFound } from './wal-not-found.ts';
import { WalSlot } from './wal-slot.ts';

export interface WalFetcherDeps {
  /** The site itself first, then the sites that it was moved from. */
  readonly sources: readonly [WalSource, ...WalSource[]];
  readonly pool: CodecPool;
  /** Where the files go. What an earlier process left there is removed by `Spool.removeDebris`. */
  readonly directory: string;
  /** How many of the following segments are fetched ahead. */
  readonly segmentsAhead: DepthRange;
  /** How many of them are under way at once. */
  readonly transfersMax: number;
  /** Told of every file that is handed out. */
  readonly onServed?: ((name: string) => void) | undefined;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly clock?: Clock;
  readonly retryPolicy?: RetryPolicy;
  /** How long files fetched ahead are kept when nobody asks for anything any more. */
  readonly idleMsMax?: number;
}

/** The store repeats single requests by itself; this is for whole files, such as one that broke off too often. */
const retryPolicyDefault: RetryPolicy = { attemptsMax: 3, delayMsFirst: 500, delayMsMax: 2_000 };
const idleMsMaxDefault = 10 * 60_000;
/** What was written longer ago is read again before it is handed out. */
const freshMsMax = 30_000;
/** Digest for checking files again where the store has none. */
const hashWhereUnknown = 'sha1';

/** A fetched file, and how it was left. */
interface LocalWal extends ReceivedWal {
  /** See {@link fileIdentity}. */
  readonly identity: string | undefined;
  readonly sinceMs: number;
}

type Slot = WalSlot<LocalWal>;

interface Receiving {
  /** Default: whole files only. */
  readonly open?: typeof openStoredWal;
  /** Told, before its bytes come, whether there is such an object. */
  readonly onOpened?: (exists: boolean) => void;
}

/** A file and the slot that is held for it. */
interface Held {
  readonly slot: Slot;
  readonly wal: LocalWal;
}

/**
 * Brings WAL back from the store for restore_command, and what comes next ahead of being asked for it.
 *
 * "Not there" is said only if every source says so at the time of asking. Everything handed out has been checked by hash and header.
 * A file that was fetched ahead has lain on disk in the meantime: it must be the very file that was written, in the state it was left in, and if
 * that is more than a moment ago its hash is computed again. Before that, this would only read from memory what was just written there.
 */
export class WalFetcher {
  readonly #deps: WalFetcherDeps;
  readonly #clock: Clock;
  readonly #slots = new Map<string, Slot>();
  readonly #prefetcher: Prefetcher;
  readonly #pace: PrefetchPace;
  readonly #end = new AbortController();
  readonly #ahead: Limiter;
  /** Segments that may be asked for soon. */
  #wanted: ReadonlySet<string> = new Set();
  #freeBytes = Number.POSITIVE_INFINITY;
  #idle = new AbortController();

  constructor(deps: WalFetcherDeps) {
    this.#deps = deps;
    this.#clock = deps.clock ?? systemClock;
    this.#ahead = new Limiter(deps.transfersMax);
    this.#prefetcher = new Prefetcher((name) => this.#beginAhead(name), deps.transfersMax, this.#end.signal);
    this.#pace = new PrefetchPace(deps.segmentsAhead, this.#clock);
  }

  /**
   * `signal` ends only the waiting: the transfer goes on, and asking again joins it. With `unfinished` what there is of a segment that was never
   * finished is good enough, if there is nothing else.
   *
   * Rejects with `wal-missing` (proven: the archive ends before it), `wal-hole`, `store-empty`, `wal-name-invalid`, `object-corrupt`, `key-missing`, `key-wrong`, `disk-full` and the
   * store's errors.
   */
  async fetch(name: string, signal?: AbortSignal, { unfinished = false }: { readonly unfinished?: boolean } = {}): Promise<FetchedWal> {
    const kind = classifyWalFile(name);
    if (kind === undefined) throw new OperatorError('wal-name-invalid', `${JSON.stringify(name)} is not the name of a WAL file`);
    if (kind === 'backup-label') throw new OperatorError('wal-missing', `${name} is not stored: backup history files are not archived`);
    this.#end.signal.throwIfAborted();
    const askedMs = this.#clock.monotonicMs();
    const wasThere = this.#slots.get(name)?.isSettled === true;
    await mkdir(this.#deps.directory, { recursive: true });
    const held = (await this.#takeExisting(name, signal)) ?? (await this.#take(this.#slots.get(name) ?? this.#startAsked(name), signal));
    const found = held ?? (unfinished && kind === 'segment' ? await this.#takeUnfinished(name, signal) : undefined);
    if (found === undefined) throw await notFound(name, this.#deps.sources, signal);
    if (held?.wal.segmentBytes !== undefined && kind === 'segment') {
      this.#pace.served(wasThere, askedMs);
      this.#lookAhead(name, held.wal.segmentBytes);
    }
    this.#restartIdleTimer();
    this.#deps.onServed?.(name);
    return this.#handOut(found);
  }

  /** Lets go of everything that was fetched ahead, and of what is being fetched. */
  async close(): Promise<void> {
    this.#end.abort(shuttingDown());
    this.#idle.abort();
    await this.#prefetcher.settled();
    await Promise.allSettled([...this.#slots.values()].map((slot) => slot.received));
    await this.#evict(() => true);
  }

  /** What is here already, or coming; `undefined` if there is nothing, or if what was fetched unasked turned out to be no good. */
  async #takeExisting(name: string, signal: AbortSignal | undefined): Promise<Held | undefined> {
    const slot = this.#slots.get(name);
    if (slot === undefined) return undefined;
    const wasHere = slot.isSettled;
    const held = await this.#take(slot, signal).catch((error: unknown) => {
      if (slot.isAhead && !signal?.aborted) return undefined;
      throw error;
    });
    if (held === undefined || !wasHere || (await this.#isUnharmed(held.wal))) return held;
    this.#deps.log.warn({ wal: name, path: held.wal.path }, 'a fetched WAL file was damaged on the local disk, fetching it again');
    slot.letGo();
    await this.#drop(slot);
    return undefined;
  }

  async #take(slot: Slot, signal: AbortSignal | undefined): Promise<Held | undefined> {
    const wal = await slot.take(signal);
    return wal && { slot, wal };
  }

  async #isUnharmed({ path, bytes, hash, hashAlgorithm, identity, sinceMs }: LocalWal): Promise<boolean> {
    const isFresh = this.#clock.monotonicMs() - sinceMs < freshMsMax;
    if (isFresh && identity !== undefined && (await fileIdentity(path)) === identity) return true;
    return this.#deps.pool.run(verifyWal, { path, bytes, hash, hashAlgorithm }, { signal: this.#end.signal, urgency: urgent });
  }

  /** Not kept for whoever asks next: it may have grown by then. */
  async #takeUnfinished(name: string, signal: AbortSignal | undefined): Promise<Held | undefined> {
    const held = await this.#take(new WalSlot(name, false, urgent, this.#receiveUnfinished(name)), signal);
    if (held) this.#deps.log.info({ wal: name }, 'only the beginning of the WAL segment is stored, handing it out');
    return held;
  }

  /** What is found may make place for something longer before it is read. */
  async #receiveUnfinished(name: string): Promise<LocalWal | undefined> {
    const mayPass = (error: unknown) => isRetryable(error) || isOperatorError(error, 'object-missing');
    const open: typeof openStoredWal = async (...args) => (await openUnfinishedWal(...args)) ?? openStoredWal(...args);
    return this.#retrying(() => this.#receive(name, urgent, { open }), mayPass);
  }

  #startAsked(name: string): Slot {
    return this.#addSlot(new WalSlot(name, false, urgent, this.#receiveAsked(name)));
  }

  /** Damage may have happened on the way, and the disk may be full of what was fetched ahead: either deserves a second try. */
  async #receiveAsked(name: string): Promise<LocalWal | undefined> {
    try {
      return await this.#receiveRetrying(name);
    } catch (error) {
      if (!isOperatorError(error, 'object-corrupt', 'disk-full')) throw error;
      this.#deps.log.warn({ wal: name, code: error.code }, 'fetching a WAL file failed, trying once more');
      if (error.code === 'disk-full') await this.#evict(() => true);
      return this.#receiveRetrying(name);
    }
  }

  async #receiveRetrying(name: string): Promise<LocalWal | undefined> {
    const isSegment = classifyWalFile(name) === 'segment';
    const { sources } = this.#deps;
    const orNoHole = () => (isSegment ? assertNoHole(name, sources, this.#end.signal) : undefined);
    return this.#retrying(async () => (await this.#receive(name, urgent)) ?? orNoHole(), isRetryable);
  }

  #retrying<T>(work: () => Promise<T>, mayPass: (error: unknown) => boolean): Promise<T> {
    const { retryPolicy = retryPolicyDefault } = this.#deps;
    return retry(work, retryPolicy, { signal: this.#end.signal, isRetryable: mayPass, clock: this.#clock });
  }

  /** Resolves once it is known whether there is such an object; its bytes come later. Failures only end the looking ahead: who asks for the file will see. */
  async #beginAhead(name: string): Promise<Begun> {
    if (this.#slots.has(name)) return 'here';
    const { promise, resolve } = Promise.withResolvers<Begun>();
    const urgency = new Urgency(false);
    const work = () => this.#receive(name, urgency, { onOpened: (exists) => resolve(exists ? 'coming' : 'missing') });
    const slot = this.#addSlot(new WalSlot(name, true, urgency, this.#ahead.run(work, this.#end.signal, urgency)));
    slot.received.catch((error: unknown) => {
      this.#deps.log.debug({ wal: name, because: messageOf(error) }, 'could not fetch a WAL file ahead');
      resolve('missing');
    });
    return promise;
  }

  async #receive(name: string, urgency: Urgency, { open = openStoredWal, onOpened }: Receiving = {}): Promise<LocalWal | undefined> {
    const { sources, pool, directory } = this.#deps;
    const { signal } = this.#end;
    return this.#pace.timing(async () => {
      const opened = await open(name, sources, signal);
      onOpened?.(opened !== undefined);
      if (opened === undefined) return undefined;
      const receiving = receiveWal(opened, { pool, directory, hashAlgorithm: hashWhereUnknown, signal, urgency });
      receiving.then(
        () => this.#measure('ok', opened),
        () => this.#measure('failed', opened),
      );
      const wal = await receiving;
      return { ...wal, identity: await fileIdentity(wal.path), sinceMs: this.#clock.monotonicMs() };
    });
  }

  #measure(result: 'ok' | 'failed', { name, source: { site }, body }: OpenedWal): void {
    const type = classifyWalFile(name) === 'history' ? 'timeline' : 'xlog';
    if (!this.#end.signal.aborted) this.#deps.metrics.increase('pghoard.download_size', body.entry.size, { result, site, type });
  }

  /** A slot that brings no file is forgotten at once, so that the next one who asks starts anew. One that nobody wants any more goes. */
  #addSlot(slot: Slot): Slot {
    this.#slots.set(slot.name, slot);
    slot.received.then(
      (wal) =>
        wal === undefined ? this.#forget(slot) : this.#evict((other) => other === slot && slot.isAhead && !this.#wanted.has(slot.name)),
      () => this.#forget(slot),
    );
    return slot;
  }

  #lookAhead(name: string, segmentBytes: number): void {
    const names = namesAhead(name, segmentBytes, Math.min(this.#pace.depth, segmentsFitting(segmentBytes, this.#freeBytes)));
    this.#wanted = new Set([name, ...names]);
    void this.#evict((slot) => !this.#wanted.has(slot.name));
    this.#prefetcher.want(names);
    void this.#measureRoom();
  }

  /** For the next time. Where it cannot be told, a full disk is found when it is met. */
  async #measureRoom(): Promise<void> {
    try {
      const { bavail, bsize } = await statfs(this.#deps.directory);
      this.#freeBytes = bavail * bsize;
    } catch {
      this.#freeBytes = Number.POSITIVE_INFINITY;
    }
  }

  #handOut({ slot, wal }: Held): FetchedWal {
    let isReleased = false;
    const release = async () => {
      if (isReleased) return;
      isReleased = true;
      slot.letGo();
      if (slot.holders === 0) await this.#drop(slot);
    };
    const moveTo = async (target: string) => {
      const mayMove = slot.holders === 1;
      if (mayMove) this.#forget(slot);
      try {
        await placeFile(wal.path, target, mayMove);
      } finally {
        await release();
      }
    };
    const { name, path, bytes, hash, hashAlgorithm } = wal;
    return { name, path, bytes, hash, hashAlgorithm, moveTo, release, [Symbol.asyncDispose]: release };
  }

  #forget(slot: Slot): void {
    if (this.#slots.get(slot.name) === slot) this.#slots.delete(slot.name);
  }

  async #drop(slot: Slot): Promise<void> {
    this.#forget(slot);
    await slot.discard();
  }

  /** Drops files that nobody holds. */
  async #evict(isUnwanted: (slot: Slot) => boolean): Promise<void> {
    const slots = [...this.#slots.values()].filter((slot) => slot.isSettled && slot.holders === 0 && isUnwanted(slot));
    await Promise.all(slots.map((slot) => this.#drop(slot)));
  }

  #restartIdleTimer(): void {
    const { idleMsMax = idleMsMaxDefault } = this.#deps;
    this.#idle.abort();
    this.#idle = new AbortController();
    this.#clock.sleep(idleMsMax, this.#idle.signal).then(
      () => {
        this.#wanted = new Set();
        return this.#evict(() => true);
      },
      () => {},
    );
  }
}

function isRetryable(error: unknown): boolean {
  return isOperatorError(error) && error.retryable && error.code !== 'disk-full';
}
