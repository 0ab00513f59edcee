import { systemClock } from '../lib/clock.ts';
import { isOperatorError } from '../lib/errors.ts';
import { systemRandom } from '../lib/random.ts';
import { delayAfterMs, type RetryDeps, type RetryPolicy, retry } from '../lib/retry.ts';
import type { ByteRange, ListOptions, ObjectBody, ObjectInfo, ObjectStore, RequestOptions } from './object-store.ts';
import { passOn } from './pass-on.ts';
import { isSameObject } from './same-object.ts';
import { bodyCutShort, bodyTooLong, objectChanged } from './store-errors.ts';

export const storeRetryPolicy: RetryPolicy = { attemptsMax: 5, delayMsFirst: 200, delayMsMax: 5_000 };

type GetOptions = RequestOptions & { readonly range?: ByteRange };
type Deps = Pick<RetryDeps, 'clock' | 'random'>;

/**
 * Repeats everything but puts after retryable failures. A body that breaks off goes on where it stopped, a listing after its last key;
 * progress earns new attempts. Puts are not repeated here: the upload queue does that, which neither gives up nor holds a place meanwhile.
 */
export function withRetry(store: ObjectStore, policy: RetryPolicy = storeRetryPolicy, deps: Deps = {}): ObjectStore {
  const again = <T>(work: () => Promise<T>, signal: AbortSignal | undefined) => retry(work, policy, { ...deps, signal });
  return {
    ...passOn(store),
    get: async (key, options = {}) => {
      const open = (range: ByteRange | undefined) => again(() => store.get(key, range ? { ...options, range } : options), options.signal);
      const body = await open(options.range);
      return { ...body, bytes: resumingBody(store, body, options, open, new Patience(policy, deps, options.signal)) };
    },
    head: (key, options) => again(() => store.head(key, options), options?.signal),
    list: (prefix, options = {}) => resumingList(store, prefix, options, new Patience(policy, deps, options.signal)),
    delete: (key, options) => again(() => store.delete(key, options), options?.signal),
    deleteMany: (keys, options) => again(() => store.deleteMany(keys, options), options?.signal),
    removeUnfinished: (prefix, options) => again(() => store.removeUnfinished(prefix, options), options.signal),
    create: (options) => again(() => store.create(options), options?.signal),
  };
}

async function* resumingBody(
  store: ObjectStore,
  first: ObjectBody,
  options: GetOptions,
  open: (range: ByteRange) => Promise<ObjectBody>,
  patience: Patience,
): AsyncGenerator<Uint8Array> {
  const { entry } = first;
  const start = options.range?.start ?? 0;
  const end = Math.max(start, Math.min(options.range?.end ?? entry.size, entry.size));
  let position = start;
  let body = first;
  for (;;) {
    try {
      for await (const piece of body.bytes) {
        if (piece.length > end - position) throw bodyTooLong(entry.key, store.name, end - start);
        position += piece.length;
        patience.renew();
        yield piece;
      }
      if (position >= end) return;
      throw bodyCutShort(entry.key, store.name, end - start, position - start);
    } catch (error) {
      await patience.afterFailure(error);
    }
    if (position >= end) return;
    body = await open({ start: position, end });
    if (!isSameObject(body.entry, entry)) throw objectChanged(entry.key, store.name);
  }
}

async function* resumingList(store: ObjectStore, prefix: string, options: ListOptions, patience: Patience): AsyncGenerator<ObjectInfo> {
  let { after } = options;
  for (;;) {
    try {
      for await (const entry of store.list(prefix, after === undefined ? options : { ...options, after })) {
        after = entry.key;
        patience.renew();
        yield entry;
      }
      return;
    } catch (error) {
      await patience.afterFailure(error);
    }
  }
}

/** Counts failures since the last progress and waits after each; throws the failure when there have been too many. */
class Patience {
  readonly #policy: RetryPolicy;
  readonly #deps: Deps;
  readonly #signal: AbortSignal | undefined;
  #failures = 0;

  constructor(policy: RetryPolicy, deps: Deps, signal: AbortSignal | undefined) {
    this.#policy = policy;
    this.#deps = deps;
    this.#signal = signal;
  }

  renew(): void {
    this.#failures = 0;
  }

  async afterFailure(error: unknown): Promise<void> {
    this.#failures++;
    const canRetry = isOperatorError(error) && error.retryable && this.#failures < this.#policy.attemptsMax;
    if (!canRetry || this.#signal?.aborted) throw error;
    const { clock = systemClock, random = systemRandom } = this.#deps;
    await clock.sleep(delayAfterMs(error, this.#failures, this.#policy, random), this.#signal);
  }
}
