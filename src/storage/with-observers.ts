import { type Clock, systemClock } from '../lib/clock.ts';
import { inWords, isOperatorError } from '../lib/errors.ts';
import type { ObjectBody, ObjectInfo, ObjectStore } from './object-store.ts';
import type { RequestObserver, StoreOperation, StoreRequest } from './request-observer.ts';

type Facts = Pick<StoreRequest, 'because' | 'bytes' | 'entry' | 'deletedKeys'>;

/** The same store, of whose requests the observers hear: each attempt for itself, without the time that it had to wait for its turn. */
export function withObservers(store: ObjectStore, observers: readonly RequestObserver[], clock: Clock = systemClock): ObjectStore {
  if (observers.length === 0) return store;
  const begin = (operation: StoreOperation, key: string) => new ObservedRequest(operation, key, observers, clock);
  return {
    name: store.name,
    put: (key, source, options) =>
      begin('put', key).observe(
        () => store.put(key, source, options),
        (entry) => ({ bytes: entry.size, entry }),
      ),
    get: async (key, options) => {
      const request = begin('get', key);
      try {
        return observedBody(await store.get(key, options), request);
      } catch (error) {
        request.failed(error);
        throw error;
      }
    },
    head: (key, options) => begin('head', key).observe(() => store.head(key, options)),
    list: (prefix, options) => observedList(store.list(prefix, options), begin('list', prefix)),
    delete: (key, options) => begin('delete', key).observe(() => store.delete(key, options)),
    deleteMany: (keys, options) =>
      begin('delete_many', keys[0] ?? '').observe(
        () => store.deleteMany(keys, options),
        (locked) => ({ deletedKeys: keys.filter((key) => !locked.some((kept) => kept.key === key)) }),
      ),
    removeUnfinished: (prefix, options) => begin('remove_unfinished', prefix).observe(() => store.removeUnfinished(prefix, options)),
    create: (options) => begin('create', '').observe(() => store.create(options)),
    close: async () => {
      await store.close();
      for (const observer of observers) await observer.close?.();
    },
  };
}

/** Tells of its end once. */
class ObservedRequest {
  readonly #operation: StoreOperation;
  readonly #key: string;
  readonly #observers: readonly RequestObserver[];
  readonly #clock: Clock;
  readonly #startMs: number;
  #hasEnded = false;

  constructor(operation: StoreOperation, key: string, observers: readonly RequestObserver[], clock: Clock) {
    this.#operation = operation;
    this.#key = key;
    this.#observers = observers;
    this.#clock = clock;
    this.#startMs = clock.monotonicMs();
  }

  async observe<T>(work: () => Promise<T>, factsOf: (result: T) => Facts = () => ({})): Promise<T> {
    try {
      const result = await work();
      this.ended(factsOf(result));
      return result;
    } catch (error) {
      this.failed(error);
      throw error;
    }
  }

  ended(facts: Facts): void {
    this.#tell('ok', facts);
  }

  failed(error: unknown, facts: Facts = {}): void {
    this.#tell(isOperatorError(error) ? error.code : 'other', { because: inWords(error), ...facts });
  }

  #tell(outcome: string, facts: Facts): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    const durationMs = this.#clock.monotonicMs() - this.#startMs;
    const request = { operation: this.#operation, key: this.#key, durationMs, outcome, ...facts };
    for (const observer of this.#observers) observer.ended(request);
  }
}

/** Not a generator: that would not hear of a body that is left before anything was read of it. */
function observedBody(body: ObjectBody, request: ObservedRequest): ObjectBody {
  if (body.file !== undefined) {
    request.ended({ bytes: body.entry.size });
    return body;
  }
  let bytes = 0;
  const observed = (inner: AsyncIterator<Uint8Array>): AsyncIterator<Uint8Array> => ({
    next: async () => {
      try {
        const next = await inner.next();
        if (next.done) request.ended({ bytes });
        else bytes += next.value.length;
        return next;
      } catch (error) {
        request.failed(error, { bytes });
        throw error;
      }
    },
    return: async () => {
      request.ended({ bytes });
      await inner.return?.();
      return { done: true, value: undefined };
    },
  });
  return { ...body, bytes: { [Symbol.asyncIterator]: () => observed(body.bytes[Symbol.asyncIterator]()) } };
}

async function* observedList(listing: AsyncIterable<ObjectInfo>, request: ObservedRequest): AsyncGenerator<ObjectInfo> {
  try {
    yield* listing;
  } catch (error) {
    request.failed(error);
    throw error;
  } finally {
    request.ended({});
  }
}
