import type { Clock } from '../../src/lib/clock.ts';
import { MemoryStore } from '../../src/storage/memory/driver.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';
import { storeDenied, storeThrottled, storeUnreachable } from '../../src/storage/store-errors.ts';
import type { SeededRandom } from '../support/seeded-random.ts';

/** `flaky`: some requests fail, and some of those have taken effect. */
export type Weather = 'fair' | 'flaky' | 'throttling' | 'denied' | 'out' | 'hanging';

/** Who asks, and whether it is still there to hear the answer. */
export interface Caller {
  readonly host: string;
  readonly isDead: () => boolean;
}

export interface StormyStoreDeps {
  readonly clock: Clock;
  readonly random: SeededRandom;
  /** Told before a key goes. */
  readonly onDelete: (caller: Caller, key: string) => void;
}

/** One bucket, and what may be wrong with it. */
export class StormyStore {
  readonly keys = new Set<string>();
  readonly memory: MemoryStore;
  readonly #deps: StormyStoreDeps;
  #weather: Weather = 'fair';
  #changed = Promise.withResolvers<void>();

  constructor(deps: StormyStoreDeps) {
    this.#deps = deps;
    this.memory = new MemoryStore(deps.clock);
  }

  get weather(): Weather {
    return this.#weather;
  }

  set weather(weather: Weather) {
    this.#weather = weather;
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  /** As one daemon has it. */
  for(caller: Caller): ObjectStore {
    const { memory, keys } = this;
    const { onDelete } = this.#deps;
    const ask = <T>(what: string, signal: AbortSignal | undefined, work: () => Promise<T>) => this.#ask(caller, what, signal, work);
    const remove = async (key: string) => {
      if (keys.has(key)) onDelete(caller, key);
      keys.delete(key);
      await memory.delete(key);
    };
    return {
      name: 'a made-up store',
      put: (key, source, options) =>
        ask(`store ${key}`, options.signal, async () => {
          const entry = await memory.put(key, source, options);
          keys.add(key);
          return entry;
        }),
      get: (key, options = {}) => ask(`fetch ${key}`, options.signal, () => memory.get(key, options)),
      head: (key, options = {}) => ask(`look at ${key}`, options.signal, () => memory.head(key, options)),
      async *list(prefix, options = {}) {
        yield* await ask(`list ${prefix}`, options.signal, async () => memory.list(prefix, options));
      },
      delete: (key, options = {}) => ask(`delete ${key}`, options.signal, () => remove(key)),
      deleteMany: (many, options = {}) =>
        ask(`delete ${many.length} objects`, options.signal, async () => {
          for (const key of many) await remove(key);
          return [];
        }),
      removeUnfinished: async () => 0,
      create: async () => {},
      close: async () => {},
    };
  }

  async #ask<T>(caller: Caller, what: string, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    signal?.throwIfAborted();
    if (caller.isDead()) return new Promise<T>(() => {});
    const { random } = this.#deps;
    switch (this.#weather) {
      case 'fair':
        return work();
      case 'out':
        throw storeUnreachable(what, 'the made-up store');
      case 'denied':
        throw storeDenied(what, 'the made-up store');
      case 'throttling':
        if (random.next() < 0.9) throw storeThrottled(what, 'the made-up store', undefined);
        return work();
      case 'flaky':
        if (random.next() < 0.1) throw storeUnreachable(what, 'the made-up store');
        if (random.next() < 0.1) {
          await work();
          throw storeUnreachable(what, 'the made-up store');
        }
        return work();
      case 'hanging': {
        await Promise.race([this.#changed.promise, abortOf(signal)]);
        throw storeUnreachable(what, 'the made-up store');
      }
    }
  }
}

function abortOf(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true }));
}
