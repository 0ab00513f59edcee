import { setImmediate } from 'node:timers/promises';
import { Catalog } from '../../src/catalog/catalog.ts';
import { SiteKeys } from '../../src/catalog/keys.ts';
import { SiteLease } from '../../src/catalog/site-lease.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { systemRandom } from '../../src/lib/random.ts';
import { MemoryStore } from '../../src/storage/memory/driver.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';
import { passOn } from '../../src/storage/pass-on.ts';
import type { SeededRandom } from './seeded-random.ts';
import { connectionLost } from './store.ts';

export const ttlMs = 1000;

/** A request on its way: it takes effect at some moment, and is answered at a later one, or never. */
interface Request {
  readonly from: number;
  readonly apply: () => Promise<void>;
  readonly answer: (isLost: boolean) => void;
  isApplied: boolean;
}

interface Sleeper {
  readonly from: number;
  readonly untilMs: number;
  readonly wake: () => void;
}

/** Daemons that want one lease, on one store, in a time and an order that the world decides about. */
export class LeaseWorld {
  readonly store = new MemoryStore();
  readonly daemons: readonly LeaseDaemon[];
  nowMs = 0;
  requests: Request[] = [];
  sleepers: Sleeper[] = [];

  constructor(count: number, random: SeededRandom) {
    this.daemons = Array.from(
      { length: count },
      (_, number) => new LeaseDaemon(this, number, 0.99 + random.next() * 0.02, random.next() * 1e6),
    );
  }

  get holders(): readonly LeaseDaemon[] {
    return this.daemons.filter(({ lease }) => lease.isHeld);
  }

  async apply(request: Request): Promise<void> {
    request.isApplied = true;
    await request.apply();
    await setImmediate();
  }

  async answer(request: Request, isLost: boolean): Promise<void> {
    this.requests = this.requests.filter((other) => other !== request);
    request.answer(isLost);
    await setImmediate();
  }

  async advance(ms: number): Promise<void> {
    this.nowMs += ms;
    const due = this.sleepers.filter(({ from, untilMs }) => untilMs <= this.nowMs && this.daemons[from]?.isPaused === false);
    this.sleepers = this.sleepers.filter((sleeper) => !due.includes(sleeper));
    for (const { wake } of due) wake();
    await setImmediate();
  }

  /** Everything that is on its way arrives, and nobody is held up, for so long. */
  async calm(ms: number): Promise<void> {
    for (const daemon of this.daemons) daemon.isPaused = false;
    for (const end = this.nowMs + ms; this.nowMs < end; ) {
      for (const request of this.requests.filter(({ isApplied }) => !isApplied)) await this.apply(request);
      for (const request of this.requests) await this.answer(request, false);
      if (this.requests.length === 0) await this.advance(ttlMs / 20);
    }
  }
}

/** One place for a daemon, in which one process lives after the other. */
export class LeaseDaemon {
  readonly #world: LeaseWorld;
  readonly #number: number;
  readonly #clock: Clock;
  isPaused = false;
  lives = 0;
  lease: SiteLease;

  constructor(world: LeaseWorld, number: number, rate: number, offset: number) {
    this.#world = world;
    this.#number = number;
    this.#clock = {
      now: () => new Date(0),
      monotonicMs: () => offset + world.nowMs * rate,
      sleep: (ms) => new Promise((resolve) => world.sleepers.push({ from: number, untilMs: world.nowMs + ms / rate, wake: resolve })),
    };
    this.lease = this.#begin();
  }

  /** As kill -9 and a start at once. What the dead process had sent is still on its way; nobody hears the answer. */
  restart(): void {
    const world = this.#world;
    world.requests = world.requests.map((request) =>
      request.from === this.#number ? { ...request, from: -1, answer: () => {} } : request,
    );
    world.sleepers = world.sleepers.filter(({ from }) => from !== this.#number);
    this.lease = this.#begin();
  }

  #begin(): SiteLease {
    const catalog = new Catalog(this.#store(), new SiteKeys('main'));
    const lease = new SiteLease({
      catalog,
      ttlMs,
      host: `host ${this.#number}`,
      pid: ++this.lives,
      version: '1',
      place: `place ${this.#number}`,
      beforeTaking: async () => {},
      clock: this.#clock,
      random: systemRandom,
    });
    void this.#run(lease, this.lives);
    return lease;
  }

  async #run(lease: SiteLease, life: number): Promise<void> {
    const { signal } = new AbortController();
    while (life === this.lives) {
      await lease.tick(signal).catch(() => {});
      await this.#clock.sleep(ttlMs / 4);
    }
  }

  #store(): ObjectStore {
    const { store } = this.#world;
    const send = <T>(work: () => Promise<T>) => this.#send(work);
    return {
      ...passOn(store),
      name: 'memory behind a network',
      put: (key, source, options) => send(() => store.put(key, source, options)),
      get: (key, options) => send(() => store.get(key, options)),
      head: (key, options) => send(() => store.head(key, options)),
      async *list(prefix, options) {
        yield* await send(async () => {
          const found = [];
          for await (const info of store.list(prefix, options)) found.push(info);
          return found;
        });
      },
      delete: (key, options) => send(() => store.delete(key, options)),
      close: async () => {},
    };
  }

  #send<T>(work: () => Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    let result: Promise<T> | undefined;
    this.#world.requests.push({
      from: this.#number,
      isApplied: false,
      apply: async () => {
        result = work();
        await result.catch(() => {});
      },
      answer: (isLost) => (isLost || result === undefined ? reject(connectionLost()) : resolve(result)),
    });
    return promise;
  }
}
