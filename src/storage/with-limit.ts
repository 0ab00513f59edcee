import { isOperatorError } from '../lib/errors.ts';
import { Limiter } from '../lib/limiter.ts';
import type { ObjectStore } from './object-store.ts';
import { passOn } from './pass-on.ts';

/**
 * Lets at most `requestsMax` requests run at once, and fewer to a store that asks for fewer (see {@link Pace}). A get counts until its body can be read, not
 * while it is read: a reader that pauses, or asks for another object meanwhile, must not be able to block itself. A listing does not count.
 */
export function withLimit(store: ObjectStore, requestsMax: number): ObjectStore {
  const pace = new Pace(requestsMax);
  return {
    ...passOn(store),
    put: (key, source, options) => pace.run(() => store.put(key, source, options), options.signal),
    get: (key, options) => pace.run(() => store.get(key, options), options?.signal),
    head: (key, options) => pace.run(() => store.head(key, options), options?.signal),
    list: (prefix, options) => pace.watch(store.list(prefix, options)),
    delete: (key, options) => pace.run(() => store.delete(key, options), options?.signal),
    deleteMany: (keys, options) => pace.run(() => store.deleteMany(keys, options), options?.signal),
    removeUnfinished: (prefix, options) => pace.run(() => store.removeUnfinished(prefix, options), options.signal),
    create: (options) => pace.run(() => store.create(options), options?.signal),
  };
}

/**
 * `store-throttled` halves how many may run at once, down to one; as many successes in a row as may run at once make it one more again, up to the most.
 * Requests that were under way when it was halved say nothing new by being refused as well.
 */
class Pace {
  readonly #max: number;
  readonly #limiter: Limiter;
  #halvings = 0;
  #successes = 0;

  constructor(max: number) {
    this.#max = max;
    this.#limiter = new Limiter(max);
  }

  run<T>(request: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    return this.#limiter.run(async () => {
      const halvings = this.#halvings;
      try {
        const result = await request();
        this.#succeeded();
        return result;
      } catch (error) {
        this.#failed(error, halvings);
        throw error;
      }
    }, signal);
  }

  async *watch<T>(listing: AsyncIterable<T>): AsyncGenerator<T> {
    const halvings = this.#halvings;
    try {
      yield* listing;
    } catch (error) {
      this.#failed(error, halvings);
      throw error;
    }
  }

  #succeeded(): void {
    if (this.#limiter.max === this.#max || ++this.#successes < this.#limiter.max) return;
    this.#successes = 0;
    this.#limiter.max++;
  }

  #failed(error: unknown, halvingsBefore: number): void {
    if (!isOperatorError(error, 'store-throttled') || halvingsBefore !== this.#halvings) return;
    this.#halvings++;
    this.#successes = 0;
    this.#limiter.max = Math.max(1, Math.floor(this.#limiter.max / 2));
  }
}
