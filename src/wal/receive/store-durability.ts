import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../lib/clock.ts';
import { explain, isOperatorError, messageOf } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import type { Random } from '../../lib/random.ts';
import { backoffMs } from '../../lib/retry.ts';
import type { Lsn } from '../../postgres/lsn.ts';
import { classifyWalFile, startLsnOf, walNameOf } from '../../postgres/wal-name.ts';
import { walHeaderBytes } from '../../postgres/wal-page.ts';
import { sortedNames } from '../../storage/local/sorted-names.ts';
import type { WalBeginnings } from '../wal-beginnings.ts';
import type { FollowedWal, StreamPlace, WalDurability } from './durability.ts';
import { nameBeforeSetAside } from './set-aside.ts';
import { compareWalPosition } from './wal-position.ts';

export interface StoreDurabilityDeps {
  readonly site: string;
  /** Where received files lie until they are stored. */
  readonly directory: string;
  readonly beginnings: WalBeginnings;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

const retryPolicy = { attemptsMax: Number.POSITIVE_INFINITY, delayMsFirst: 500, delayMsMax: 10_000 };

/**
 * `wal_durability: store`: WAL is safe once the object store has it. Whole segments get there on their usual way; of the one that is being received the
 * beginning is stored, one upload after the other, each with all that has arrived by then.
 */
export class StoreDurability implements WalDurability {
  readonly isInStore = true;
  readonly #deps: StoreDurabilityDeps;
  /** What is stored and may still lie in the directory. */
  readonly #stored = new Set<string>();
  #following: FollowedInStore | undefined;
  #isSwept = false;

  constructor(deps: StoreDurabilityDeps) {
    this.#deps = deps;
  }

  /** Why nothing more becomes safe, if so. */
  get obstacle(): string | undefined {
    return this.#following?.obstacle;
  }

  /** A file that was received has been stored whole. */
  stored(name: string): void {
    this.#stored.add(name);
    this.#following?.look();
    if (classifyWalFile(name) === 'segment') this.#tidy(() => this.#deps.beginnings.forget(name));
  }

  follow(from: StreamPlace, onAdvance: () => void): FollowedWal {
    if (!this.#isSwept) this.#tidy(() => this.#deps.beginnings.sweep());
    this.#isSwept = true;
    this.#following = new FollowedInStore(this.#deps, this.#stored, from, onAdvance);
    return this.#following;
  }

  /** What stays is only in the way, and is found again at the next start. */
  #tidy(work: () => Promise<void>): void {
    const { log, site } = this.#deps;
    work().catch((error: unknown) => log.debug({ site, because: messageOf(error) }, 'could not remove beginnings of WAL segments'));
  }
}

class FollowedInStore implements FollowedWal {
  readonly #deps: StoreDurabilityDeps;
  readonly #stored: Set<string>;
  readonly #place: StreamPlace;
  readonly #onAdvance: () => void;
  readonly #end = new AbortController();
  readonly #work: Promise<unknown>;
  readonly #looking = new Wake();
  readonly #storing = new Wake();
  /** Set aside before this began. */
  #rejectedBefore: ReadonlySet<string> | undefined;
  #received: Lsn;
  /** Zero, which tells a server nothing, until it is known what still waits from earlier. */
  #durable: Lsn = 0n;
  /** Up to where the beginning that was stored last reaches. */
  #beginning: { readonly segment: string; readonly end: Lsn } | undefined;
  #obstacle: string | undefined;
  #refusal: string | undefined;

  constructor(deps: StoreDurabilityDeps, stored: Set<string>, place: StreamPlace, onAdvance: () => void) {
    this.#deps = deps;
    this.#stored = stored;
    this.#place = place;
    this.#onAdvance = onAdvance;
    this.#received = place.startLsn;
    this.#work = Promise.all([this.#keepLooking(), this.#keepStoring()]);
  }

  get durable(): Lsn {
    return this.#durable;
  }

  get obstacle(): string | undefined {
    return this.#obstacle ?? this.#refusal;
  }

  received(lsn: Lsn): void {
    if (lsn === this.#received) return;
    const isNext = this.#segmentOf(lsn) !== this.#segmentOf(this.#received);
    this.#received = lsn;
    this.#storing.call();
    if (isNext) this.look();
  }

  look(): void {
    this.#looking.call();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    this.#looking.call();
    this.#storing.call();
    await this.#work;
    this.#obstacle = undefined;
    this.#refusal = undefined;
  }

  #segmentOf(lsn: Lsn): string {
    return walNameOf(lsn, this.#place.timeline, this.#place.segmentBytes);
  }

  async #keepStoring(): Promise<void> {
    let done = this.#place.startLsn;
    for (let failures = 0; !this.#end.signal.aborted; ) {
      const end = this.#received;
      try {
        if (end === done) await this.#storing.wait();
        else await this.#storeBeginning(end);
        done = end;
        failures = 0;
        this.#obstacle = undefined;
      } catch (error) {
        if (this.#end.signal.aborted) return;
        await this.#waitAfter(++failures, error);
      }
    }
  }

  async #storeBeginning(end: Lsn): Promise<void> {
    const { beginnings, directory } = this.#deps;
    const { segmentBytes } = this.#place;
    const segment = this.#segmentOf(end);
    const bytes = Number(end - startLsnOf(segment, segmentBytes));
    // Less than a page's header says nothing.
    if (bytes < walHeaderBytes) return;
    const path = join(directory, `${segment}.partial`);
    await beginnings.store({ segment, bytes, path, segmentBytes }, this.#end.signal);
    this.#beginning = { segment, end };
    this.look();
  }

  async #waitAfter(failures: number, error: unknown): Promise<void> {
    // It has been finished, of which we are told in a moment.
    if (isOperatorError(error, 'wal-file-missing')) return this.#storing.wait();
    const { log, site, clock, random } = this.#deps;
    if (this.#obstacle === undefined) log.error({ site }, `cannot store the beginning of a WAL segment, trying again: ${explain(error)}`);
    this.#obstacle = messageOf(error);
    await clock.sleep(backoffMs(Math.min(failures, 10), retryPolicy, random), this.#end.signal).catch(() => {});
  }

  async #keepLooking(): Promise<void> {
    while (!this.#end.signal.aborted) {
      const durable = await this.#findDurable().catch((error: unknown) => {
        this.#deps.log.error({ site: this.#deps.site }, `cannot tell which WAL is stored: ${explain(error)}`);
        return this.#durable;
      });
      if (durable > this.#durable && !this.#end.signal.aborted) {
        this.#durable = durable;
        this.#onAdvance();
      }
      await this.#looking.wait();
    }
  }

  /** Everything before the first file that waits, and of that one the beginning, if it is stored. */
  async #findDurable(): Promise<Lsn> {
    // Before the directory is listed: what is finished meanwhile is in the list.
    const received = this.#received;
    const { isHistoryWaiting, first } = await this.#waiting();
    if (isHistoryWaiting) return this.#durable;
    const segment = first ?? this.#segmentOf(received);
    const reached = this.#beginning?.segment === segment ? this.#beginning.end : startLsnOf(segment, this.#place.segmentBytes);
    return reached < received ? reached : received;
  }

  /** What was received and is not stored, or was refused since this began. */
  async #waiting(): Promise<{ readonly isHistoryWaiting: boolean; readonly first: string | undefined }> {
    const { directory } = this.#deps;
    const present = new Set<string>();
    const refused = await this.#refused();
    this.#refusal = refused[0] && `${refused[0]} was set aside, and nothing behind it is safe until receiving begins anew`;
    let isHistoryWaiting = refused.some(isHistory);
    let first = refused.filter((name) => !isHistory(name)).toSorted(compareWalPosition)[0];
    for await (const { name } of sortedNames(directory, { wanted: isFinished })) {
      if (this.#stored.has(name)) present.add(name);
      else if (isHistory(name)) isHistoryWaiting = true;
      else if (first === undefined || compareWalPosition(name, first) < 0) first = name;
    }
    for (const name of this.#stored) if (!present.has(name)) this.#stored.delete(name);
    return { isHistoryWaiting, first };
  }

  async #refused(): Promise<string[]> {
    const names = await readdir(join(this.#deps.directory, 'rejected')).catch(() => []);
    this.#rejectedBefore ??= new Set(names);
    return names
      .filter((name) => !this.#rejectedBefore?.has(name))
      .map(nameBeforeSetAside)
      .filter(isFinished);
  }
}

function isHistory(name: string): boolean {
  return classifyWalFile(name) === 'history';
}

function isFinished(name: string): boolean {
  return ['segment', 'history'].includes(classifyWalFile(name) ?? '');
}

/** Can be called before anybody waits; however often it was called, it counts once. */
class Wake {
  #called = Promise.withResolvers<void>();

  call(): void {
    this.#called.resolve();
  }

  async wait(): Promise<void> {
    await this.#called.promise;
    this.#called = Promise.withResolvers();
  }
}
