import { mkdir, statfs } from 'node:fs/promises';
import { type Clock, systemClock } from '../lib/clock.ts';
import { isOperatorError, messageOf, OperatorError } from '../lib/errors.ts';
import { Limiter } from '../lib/limiter.ts';
import type { Log } from '../lib/log.ts';
import type { RetryPolicy } from '../lib/retry.ts';
import { shuttingDown } from '../lib/shutting-down.ts';
import { Urgency, urgent } from '../lib/urgency.ts';
import { classifyWalFile } from '../postgres/wal-name.ts';
import type { FetchedWal } from './fetched-wal.ts';
import { type LocalWal, type LocalWalDeps, LocalWalReceiver } from './local-wal.ts';
import { namesAhead } from './names-ahead.ts';
import { type DepthRange, segmentsFitting } from './prefetch-depth.ts';
import { PrefetchPace } from './prefetch-pace.ts';
import { type Begun, Prefetcher } from './prefetcher.ts';
import { notFound } from './wal-not-found.ts';
import { type Held, WalShelf } from './wal-shelf.ts';
import { WalSlot } from './wal-slot.ts';

export interface WalFetcherDeps extends Pick<LocalWalDeps, 'sources' | 'pool' | 'directory' | 'metrics'> {
  /** How many of the following segments are fetched ahead. */
  readonly segmentsAhead: DepthRange;
  /** How many of them are under way at once. */
  readonly transfersMax: number;
  /** Told of every file that is handed out. */
  readonly onServed?: ((name: string) => void) | undefined;
  readonly log: Log;
  readonly clock?: Clock;
  readonly retryPolicy?: RetryPolicy;
  /** How long files fetched ahead are kept when nobody asks for anything any more. */
  readonly idleMsMax?: number;
}

/** The store repeats single requests by itself; this is for whole files, such as one that broke off too often. */
const retryPolicyDefault: RetryPolicy = { attemptsMax: 3, delayMsFirst: 500, delayMsMax: 2_000 };
const idleMsMaxDefault = 10 * 60_000;

type Slot = WalSlot<LocalWal>;

/**
 * Brings WAL back from the store for restore_command, and what comes next ahead of being asked for it.
 *
 * "Not there" is said only if every source says so at the time of asking. Everything handed out has been checked by hash and header, and once more where it has
 * lain on disk in the meantime.
 */
export class WalFetcher {
  readonly #deps: WalFetcherDeps;
  readonly #clock: Clock;
  readonly #receiver: LocalWalReceiver;
  readonly #shelf = new WalShelf<LocalWal>();
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
    const { retryPolicy = retryPolicyDefault } = deps;
    this.#receiver = new LocalWalReceiver({ ...deps, retryPolicy, clock: this.#clock, pace: this.#pace, signal: this.#end.signal });
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
    const wasThere = this.#shelf.get(name)?.isSettled === true;
    await mkdir(this.#deps.directory, { recursive: true });
    const held = (await this.#takeExisting(name, signal)) ?? (await this.#take(this.#shelf.get(name) ?? this.#startAsked(name), signal));
    const found = held ?? (unfinished && kind === 'segment' ? await this.#takeUnfinished(name, signal) : undefined);
    if (found === undefined) throw await notFound(name, this.#deps.sources, signal);
    if (held?.wal.segmentBytes !== undefined && kind === 'segment') {
      this.#pace.served(wasThere, askedMs);
      this.#lookAhead(name, held.wal.segmentBytes);
    }
    this.#restartIdleTimer();
    this.#deps.onServed?.(name);
    return this.#shelf.handOut(found);
  }

  /** Lets go of everything that was fetched ahead, and of what is being fetched. */
  async close(): Promise<void> {
    this.#end.abort(shuttingDown());
    this.#idle.abort();
    await this.#prefetcher.settled();
    await this.#shelf.settled();
    await this.#shelf.evict(() => true);
  }

  /** What is here already, or coming; `undefined` if there is nothing, or if what was fetched unasked turned out to be no good. */
  async #takeExisting(name: string, signal: AbortSignal | undefined): Promise<Held<LocalWal> | undefined> {
    const slot = this.#shelf.get(name);
    if (slot === undefined) return undefined;
    const wasHere = slot.isSettled;
    const held = await this.#take(slot, signal).catch((error: unknown) => {
      if (slot.isAhead && !signal?.aborted) return undefined;
      throw error;
    });
    if (held === undefined || !wasHere || (await this.#receiver.isUnharmed(held.wal))) return held;
    this.#deps.log.warn({ wal: name, path: held.wal.path }, 'a fetched WAL file was damaged on the local disk, fetching it again');
    slot.letGo();
    await this.#shelf.drop(slot);
    return undefined;
  }

  async #take(slot: Slot, signal: AbortSignal | undefined): Promise<Held<LocalWal> | undefined> {
    const wal = await slot.take(signal);
    return wal && { slot, wal };
  }

  /** Not kept for whoever asks next: it may have grown by then. */
  async #takeUnfinished(name: string, signal: AbortSignal | undefined): Promise<Held<LocalWal> | undefined> {
    const held = await this.#take(new WalSlot(name, false, urgent, this.#receiver.receiveUnfinished(name)), signal);
    if (held) this.#deps.log.info({ wal: name }, 'only the beginning of the WAL segment is stored, handing it out');
    return held;
  }

  #startAsked(name: string): Slot {
    return this.#addSlot(new WalSlot(name, false, urgent, this.#receiveAsked(name)));
  }

  /** Damage may have happened on the way, and the disk may be full of what was fetched ahead: either deserves a second try. */
  async #receiveAsked(name: string): Promise<LocalWal | undefined> {
    try {
      return await this.#receiver.receiveAsked(name);
    } catch (error) {
      if (!isOperatorError(error, 'object-corrupt', 'disk-full')) throw error;
      this.#deps.log.warn({ wal: name, code: error.code }, 'fetching a WAL file failed, trying once more');
      if (error.code === 'disk-full') await this.#shelf.evict(() => true);
      return this.#receiver.receiveAsked(name);
    }
  }

  /** Resolves once it is known whether there is such an object; its bytes come later. Failures only end the looking ahead: who asks for the file will see. */
  async #beginAhead(name: string): Promise<Begun> {
    if (this.#shelf.get(name)) return 'here';
    const { promise, resolve } = Promise.withResolvers<Begun>();
    const urgency = new Urgency(false);
    const work = () => this.#receiver.receive(name, urgency, { onOpened: (exists) => resolve(exists ? 'coming' : 'missing') });
    const slot = this.#addSlot(new WalSlot(name, true, urgency, this.#ahead.run(work, this.#end.signal, urgency)));
    slot.received.catch((error: unknown) => {
      this.#deps.log.debug({ wal: name, because: messageOf(error) }, 'could not fetch a WAL file ahead');
      resolve('missing');
    });
    return promise;
  }

  #addSlot(slot: Slot): Slot {
    return this.#shelf.add(slot, () => slot.isAhead && !this.#wanted.has(slot.name));
  }

  #lookAhead(name: string, segmentBytes: number): void {
    const names = namesAhead(name, segmentBytes, Math.min(this.#pace.depth, segmentsFitting(segmentBytes, this.#freeBytes)));
    this.#wanted = new Set([name, ...names]);
    void this.#shelf.evict((slot) => !this.#wanted.has(slot.name));
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

  #restartIdleTimer(): void {
    const { idleMsMax = idleMsMaxDefault } = this.#deps;
    this.#idle.abort();
    this.#idle = new AbortController();
    this.#clock.sleep(idleMsMax, this.#idle.signal).then(
      () => {
        this.#wanted = new Set();
        return this.#shelf.evict(() => true);
      },
      () => {},
    );
  }
}
