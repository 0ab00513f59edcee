import { mkdir } from 'node:fs/promises';
import type { CodecPool } from '../codec/pool.ts';
import { type Clock, systemClock } from '../lib/clock.ts';
import { isOperatorError, messageOf, OperatorError } from '../lib/errors.ts';
import { Limiter } from '../lib/limiter.ts';
import type { Log } from '../lib/log.ts';
import { type RetryPolicy, retry } from '../lib/retry.ts';
import { shuttingDown } from '../lib/shutting-down.ts';
import { classifyWalFile } from '../postgres/wal-name.ts';
import { type FetchedWal, placeFile } from './fetched-wal.ts';
import { namesAhead } from './names-ahead.ts';
import { Prefetcher } from './prefetcher.ts';
import { type OpenedWal, openStoredWal, type ReceivedWal, receiveWal, type WalSource } from './stored-wal.ts';
import { verifyWal } from './unseal-wal.job.ts';
import { WalSlot } from './wal-slot.ts';

export interface WalFetcherDeps {
  /** The site itself first, then the sites that it was moved from. */
  readonly sources: readonly [WalSource, ...WalSource[]];
  readonly pool: CodecPool;
  /** Where the files go. What an earlier process left there is removed by `Spool.removeDebris`. */
  readonly directory: string;
  /** `restore_prefetch`: how many of the following segments are fetched ahead; 0 for none. */
  readonly segmentsAhead: number;
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
/** Disk space that files fetched ahead may take, whatever `restore_prefetch` says. */
const prefetchBytesMax = 2 * 1024 ** 3;
/** Transfers ahead of being asked for, at the same time. */
const aheadAtOnceMax = 4;
/** Digest for checking files again where the store has none. */
const hashWhereUnknown = 'sha1';

/** A file and the slot that is held for it. */
interface Held {
  readonly slot: WalSlot;
  readonly wal: ReceivedWal;
}

/**
 * Brings WAL back from the store for restore_command, and what comes next ahead of being asked for it.
 *
 * "Not there" is said only if every source says so at the time of asking. Everything handed out has been checked by hash and header;
 * a file that was fetched ahead is checked again, as it has lain on disk in the meantime.
 */
export class WalFetcher {
  readonly #deps: WalFetcherDeps;
  readonly #slots = new Map<string, WalSlot>();
  readonly #prefetcher: Prefetcher;
  readonly #end = new AbortController();
  readonly #ahead = new Limiter(aheadAtOnceMax);
  #idle = new AbortController();

  constructor(deps: WalFetcherDeps) {
    this.#deps = deps;
    this.#prefetcher = new Prefetcher((name) => this.#startAhead(name), this.#end.signal);
  }

  /**
   * `signal` ends only the waiting: the transfer goes on, and asking again joins it.
   *
   * Rejects with `wal-missing` (proven), `store-empty`, `wal-name-invalid`, `object-corrupt`, `key-missing`, `key-wrong`, `disk-full` and the
   * store's errors.
   */
  async fetch(name: string, signal?: AbortSignal): Promise<FetchedWal> {
    const kind = classifyWalFile(name);
    if (kind === undefined) throw new OperatorError('wal-name-invalid', `${JSON.stringify(name)} is not the name of a WAL file`);
    if (kind === 'backup-label') throw new OperatorError('wal-missing', `${name} is not stored: backup history files are not archived`);
    this.#end.signal.throwIfAborted();
    await mkdir(this.#deps.directory, { recursive: true });
    const held = (await this.#takeExisting(name, signal)) ?? (await this.#take(this.#slots.get(name) ?? this.#startAsked(name), signal));
    if (held === undefined) throw await notFound(name, this.#deps.sources, signal);
    if (held.wal.segmentBytes !== undefined && kind === 'segment') this.#lookAhead(name, held.wal.segmentBytes);
    this.#restartIdleTimer();
    this.#deps.onServed?.(name);
    return this.#handOut(held);
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
    this.#deps.log.warn({ name, path: held.wal.path }, 'a fetched WAL file was damaged on the local disk, fetching it again');
    slot.letGo();
    await this.#drop(slot);
    return undefined;
  }

  async #take(slot: WalSlot, signal: AbortSignal | undefined): Promise<Held | undefined> {
    const wal = await slot.take(signal);
    return wal && { slot, wal };
  }

  async #isUnharmed({ path, bytes, hash, hashAlgorithm }: ReceivedWal): Promise<boolean> {
    return this.#deps.pool.run(verifyWal, { path, bytes, hash, hashAlgorithm }, { signal: this.#end.signal });
  }

  #startAsked(name: string): WalSlot {
    return this.#addSlot(name, false, this.#receiveAsked(name));
  }

  /** Damage may have happened on the way, and the disk may be full of what was fetched ahead: either deserves a second try. */
  async #receiveAsked(name: string): Promise<ReceivedWal | undefined> {
    try {
      return await this.#receiveRetrying(name);
    } catch (error) {
      if (!isOperatorError(error, 'object-corrupt', 'disk-full')) throw error;
      this.#deps.log.warn({ name, code: error.code }, 'fetching a WAL file failed, trying once more');
      if (error.code === 'disk-full') await this.#evict(() => true);
      return this.#receiveRetrying(name);
    }
  }

  async #receiveRetrying(name: string): Promise<ReceivedWal | undefined> {
    const { signal } = this.#end;
    const once = async () => {
      const opened = await openStoredWal(name, this.#deps.sources, signal);
      return opened && this.#receive(opened);
    };
    return retry(once, this.#deps.retryPolicy ?? retryPolicyDefault, {
      signal,
      isRetryable,
      ...(this.#deps.clock && { clock: this.#deps.clock }),
    });
  }

  /** Resolves to whether there is such an object; its bytes come later. Failures only end the looking ahead: who asks for the file will see. */
  async #startAhead(name: string): Promise<boolean> {
    if (this.#slots.has(name)) return true;
    const exists = Promise.withResolvers<boolean>();
    const work = async () => {
      const opened = await openStoredWal(name, this.#deps.sources, this.#end.signal);
      exists.resolve(opened !== undefined);
      return opened && this.#receive(opened);
    };
    const slot = this.#addSlot(name, true, this.#ahead.run(work, this.#end.signal));
    slot.received.catch((error: unknown) => {
      this.#deps.log.debug({ name, error: messageOf(error) }, 'could not fetch a WAL file ahead');
      exists.resolve(false);
    });
    return exists.promise;
  }

  #receive(opened: OpenedWal): Promise<ReceivedWal> {
    const { pool, directory } = this.#deps;
    return receiveWal(opened, { pool, directory, hashAlgorithm: hashWhereUnknown, signal: this.#end.signal });
  }

  /** A slot that brings no file is forgotten at once, so that the next one who asks starts anew. */
  #addSlot(name: string, isAhead: boolean, received: Promise<ReceivedWal | undefined>): WalSlot {
    const slot = new WalSlot(name, isAhead, received);
    this.#slots.set(name, slot);
    received.then(
      (wal) => wal ?? this.#forget(slot),
      () => this.#forget(slot),
    );
    return slot;
  }

  #lookAhead(name: string, segmentBytes: number): void {
    const fitting = Math.max(1, Math.floor(prefetchBytesMax / segmentBytes));
    const names = namesAhead(name, segmentBytes, Math.min(this.#deps.segmentsAhead, fitting));
    void this.#evict((slot) => slot.name !== name && !names.includes(slot.name));
    this.#prefetcher.want(names);
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

  #forget(slot: WalSlot): void {
    if (this.#slots.get(slot.name) === slot) this.#slots.delete(slot.name);
  }

  async #drop(slot: WalSlot): Promise<void> {
    this.#forget(slot);
    await slot.discard();
  }

  /** Drops files that nobody holds. */
  async #evict(isUnwanted: (slot: WalSlot) => boolean): Promise<void> {
    const slots = [...this.#slots.values()].filter((slot) => slot.isSettled && slot.holders === 0 && isUnwanted(slot));
    await Promise.all(slots.map((slot) => this.#drop(slot)));
  }

  #restartIdleTimer(): void {
    const { clock = systemClock, idleMsMax = idleMsMaxDefault } = this.#deps;
    this.#idle.abort();
    this.#idle = new AbortController();
    clock.sleep(idleMsMax, this.#idle.signal).then(
      () => this.#evict(() => true),
      () => {},
    );
  }
}

function isRetryable(error: unknown): boolean {
  return isOperatorError(error) && error.retryable && error.code !== 'disk-full';
}

/**
 * A disk that is not mounted looks like a store in which everything is missing. PostgreSQL would take that for the end of the archive, so a
 * site of which there is nothing at all is no witness.
 */
async function notFound(name: string, sources: readonly WalSource[], signal: AbortSignal | undefined): Promise<OperatorError> {
  for (const { catalog } of sources) if (!(await catalog.isEmpty(signal))) return missing(name, sources);
  const places = sources.map(({ catalog }) => `'${catalog.keys.sitePrefix}' in ${catalog.store.name}`);
  return new OperatorError(
    'store-empty',
    `cannot tell whether WAL ${name} was archived: nothing at all is stored under ${places.join(' or ')}`,
    {
      hint: 'Is the disk of the store mounted, and do object_storage and prefix of the site say where its backups are?',
      retryable: true,
    },
  );
}

function missing(name: string, sources: readonly WalSource[]): OperatorError {
  const places = sources.map(({ catalog }) => `${catalog.walKey(name)} in ${catalog.store.name}`);
  return new OperatorError('wal-missing', `WAL ${name} is not stored: there is no ${places.join(', and no ')}`);
}
