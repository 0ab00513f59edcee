import type { Clock } from '../lib/clock.ts';
import { isOperatorError } from '../lib/errors.ts';
import type { Random } from '../lib/random.ts';
import { deleteAll } from '../storage/delete-many.ts';
import { sourceOfBytes } from '../storage/object-source.ts';
import type { Catalog } from './catalog.ts';
import { actsUntilMs, type FoundLease, type LeaseStep, nextLeaseStep, type WatchedLease, watchLease } from './lease-decision.ts';
import { formatLeaseNote, type LeaseNote, parseLeaseNote } from './lease-note.ts';

export interface SiteLeaseDeps {
  readonly catalog: Catalog;
  readonly ttlMs: number;
  readonly host: string;
  readonly pid: number;
  readonly version: string;
  /** See {@link LeaseNote.place}. */
  readonly place: string | undefined;
  /** Asked before a lease is made; rejects where the store is not there, or not for us. */
  readonly beforeTaking: (signal: AbortSignal) => Promise<void>;
  readonly clock: Clock;
  readonly random: Random;
}

interface Tenure {
  readonly generation: number;
  readonly since: Date;
  /** What the object holds if nobody else writes to it: what was confirmed last, or what was tried since. */
  readonly written: Set<string>;
  /** When the last change began that is known to have come before every newer generation. */
  readonly confirmedAtMs: number;
  /** How long the owner before may act, counted from when the lease was made. */
  readonly riskMs: number;
  readonly actsFromMs: number;
}

/** `held`: we act. `elsewhere`: somebody else does, or may. `unsure`: the store has not told for too long, or not yet. */
export type LeaseStanding = 'held' | 'elsewhere' | 'unsure';

const textBytesMax = 64 * 1024;
const writtenMax = 100;
const looksMax = 3;

/** The right of one daemon among several to do what must not be done twice in a site. See `lease-decision.ts` for why there are never two. */
export class SiteLease {
  readonly #deps: SiteLeaseDeps;
  #owner: string;
  /** Whether a lease from our place can be that of a process before this one. Once we have looked it would be one beside this one: a copy of the machine. */
  #isNew = true;
  #tenure: Tenure | undefined;
  #watched: WatchedLease | undefined;
  #other: LeaseNote | undefined;
  #isElsewhere = false;
  #because = 'the store has not been asked yet';
  #turn: Promise<unknown> = Promise.resolve();

  constructor(deps: SiteLeaseDeps) {
    this.#deps = deps;
    this.#owner = deps.random.hex(8);
  }

  /** True only as long as nobody else acts. To be asked anew before each thing that must not be done twice. */
  get isHeld(): boolean {
    const tenure = this.#tenure;
    if (tenure === undefined) return false;
    const nowMs = this.#deps.clock.monotonicMs();
    return nowMs >= tenure.actsFromMs && nowMs < actsUntilMs(tenure.confirmedAtMs, this.#deps.ttlMs);
  }

  get standing(): LeaseStanding {
    if (this.isHeld) return 'held';
    return this.#isElsewhere ? 'elsewhere' : 'unsure';
  }

  /** Why it is as it is. */
  get because(): string {
    return this.#because;
  }

  /** Who else has it, where that can be told. */
  get holder(): LeaseNote | undefined {
    return this.#other;
  }

  /** Renews the lease, or takes it where it is free. To be called several times in a TTL. Rejects with the store's errors, and those of `beforeTaking`. */
  tick(signal: AbortSignal): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#tenure) await this.#renew(this.#tenure, signal);
      // Who was quicker is worth another look.
      for (let look = 0; look < looksMax && !this.#tenure; look++) if ((await this.#contend(signal)) === 'wait') return;
    });
  }

  /** Lets others know that nobody acts here any more; that must be so when it is called. */
  release(signal: AbortSignal): Promise<void> {
    return this.#inTurn(async () => {
      const tenure = this.#tenure;
      this.#tenure = undefined;
      if (tenure && (await this.#isOurs(tenure, signal))) await this.#put(tenure.generation, this.#textOf(tenure, true), signal);
      this.#lose('it was let go');
    });
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => {});
    return done;
  }

  async #renew(tenure: Tenure, signal: AbortSignal): Promise<void> {
    const beganAtMs = this.#deps.clock.monotonicMs();
    if (!(await this.#isOurs(tenure, signal))) return this.#lose('it was taken away');
    const text = this.#textOf(tenure, false);
    remember(tenure.written, text);
    await this.#put(tenure.generation, text, signal);
    if ((await this.#newestGeneration(signal)) !== tenure.generation) return this.#lose('it was taken over');
    this.#tenure = { ...tenure, written: new Set([text]), confirmedAtMs: beganAtMs };
  }

  async #contend(signal: AbortSignal): Promise<LeaseStep['do']> {
    const { clock, place, ttlMs } = this.#deps;
    const beganAtMs = clock.monotonicMs();
    const found = await this.#find(signal);
    this.#watched = found && watchLease(this.#watched, found, clock.monotonicMs());
    const me = { owner: this.#owner, place: this.#isNew ? place : undefined, ttlMs };
    const step = nextLeaseStep(found, this.#watched, me, beganAtMs);
    this.#because = step.because;
    this.#isElsewhere = step.do === 'wait';
    this.#other = step.do === 'wait' ? found?.note : undefined;
    if (step.do === 'take') await this.#take(step, found, signal);
    else this.#isNew = false;
    return step.do;
  }

  async #take(step: Extract<LeaseStep, { do: 'take' }>, found: FoundLease | undefined, signal: AbortSignal): Promise<void> {
    const { clock, beforeTaking } = this.#deps;
    await beforeTaking(signal);
    const beganAtMs = clock.monotonicMs();
    const { generation, riskIfChangedMs } = step;
    const careful = { generation, since: clock.now(), confirmedAtMs: beganAtMs, riskMs: Math.max(step.riskMs, riskIfChangedMs) };
    const text = this.#textOf({ ...careful, actsFromMs: Number.POSITIVE_INFINITY }, false);
    if (!(await this.#create(generation, text, signal))) return;
    if ((await this.#newestGeneration(signal)) !== generation) return;
    const isSafe = riskIfChangedMs === 0 || (await this.#read(generation - 1, signal)) === found?.text;
    const riskMs = isSafe ? step.riskMs : careful.riskMs;
    this.#tenure = { ...careful, riskMs, written: new Set([text]), actsFromMs: clock.monotonicMs() + riskMs };
    this.#isNew = false;
    // A successor from here need not be as careful as we had to be.
    if (riskMs < careful.riskMs) await this.#renew(this.#tenure, signal);
    await this.#removeOlder(generation, signal);
  }

  /** Under its old name somebody else may go on, who has a copy of our memory. */
  #lose(because: string): void {
    this.#tenure = undefined;
    this.#owner = this.#deps.random.hex(8);
    this.#watched = undefined;
    this.#because = because;
  }

  async #isOurs({ generation, written }: Tenure, signal: AbortSignal): Promise<boolean> {
    const text = await this.#read(generation, signal);
    return text !== undefined && written.has(text);
  }

  #textOf(tenure: Pick<Tenure, 'since' | 'riskMs' | 'actsFromMs'>, isReleased: boolean): string {
    const { host, pid, version, place, ttlMs, clock, random } = this.#deps;
    const riskMs = clock.monotonicMs() < tenure.actsFromMs ? tenure.riskMs : 0;
    const me = { owner: this.#owner, place, host, pid, version, since: tenure.since };
    return formatLeaseNote({ ...me, ttlMs, riskMs, isReleased }, random.hex(8));
  }

  async #find(signal: AbortSignal): Promise<FoundLease | undefined> {
    const generation = await this.#newestGeneration(signal);
    if (generation === 0) return undefined;
    const text = await this.#read(generation, signal);
    // It is just being replaced, or a newer one has taken its place, which the next look finds.
    return text === undefined ? { generation, text: '', note: undefined } : { generation, text, note: parseLeaseNote(text) };
  }

  /** 0 where there is none. One that is half there counts: somebody is replacing it, or was killed at that. */
  async #newestGeneration(signal: AbortSignal): Promise<number> {
    let newest = 0;
    const onIncomplete = (key: string) => (newest = Math.max(newest, this.#generationOf(key) ?? 0));
    for await (const { generation } of this.#generations(signal, onIncomplete)) newest = Math.max(newest, generation);
    return newest;
  }

  async *#generations(
    signal: AbortSignal,
    onIncomplete: (key: string) => void = () => {},
  ): AsyncGenerator<{ readonly key: string; readonly generation: number }> {
    const { store, keys } = this.#deps.catalog;
    for await (const { key } of store.list(keys.leasePrefix, { signal, onIncomplete })) {
      const generation = this.#generationOf(key);
      if (generation !== undefined) yield { key, generation };
    }
  }

  #generationOf(key: string): number | undefined {
    const name = key.slice(this.#deps.catalog.keys.leasePrefix.length);
    return /^\d{10}$/.test(name) ? Number(name) : undefined;
  }

  async #read(generation: number, signal: AbortSignal): Promise<string | undefined> {
    const { store, keys } = this.#deps.catalog;
    try {
      const { bytes } = await store.get(keys.lease(generation), { signal, range: { start: 0, end: textBytesMax } });
      const pieces: Uint8Array[] = [];
      for await (const piece of bytes) pieces.push(piece);
      return Buffer.concat(pieces).toString('utf8');
    } catch (error) {
      if (isOperatorError(error, 'object-missing', 'object-incomplete')) return undefined;
      throw error;
    }
  }

  async #create(generation: number, text: string, signal: AbortSignal): Promise<boolean> {
    try {
      await this.#put(generation, text, signal, true);
      return true;
    } catch (error) {
      if (isOperatorError(error, 'object-exists')) return false;
      throw error;
    }
  }

  async #put(generation: number, text: string, signal: AbortSignal, createOnly = false): Promise<void> {
    const { store, keys } = this.#deps.catalog;
    await store.put(keys.lease(generation), sourceOfBytes(Buffer.from(text)), { metadata: {}, createOnly, isShortLived: true, signal });
  }

  /** They mean nothing any more; what cannot be removed now goes with the next. */
  async #removeOlder(newest: number, signal: AbortSignal): Promise<void> {
    await deleteAll(this.#deps.catalog.store, this.#olderKeys(newest, signal), { signal });
  }

  async *#olderKeys(newest: number, signal: AbortSignal): AsyncGenerator<string> {
    for await (const { key, generation } of this.#generations(signal)) if (generation < newest) yield key;
  }
}

/** The first one is what was confirmed. */
function remember(written: Set<string>, text: string): void {
  const [, oldest] = written;
  if (written.size >= writtenMax && oldest !== undefined) written.delete(oldest);
  written.add(text);
}
