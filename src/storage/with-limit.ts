import { Limiter } from '../lib/limiter.ts';
import type { ObjectStore } from './object-store.ts';

/**
 * Lets at most `requestsMax` requests run at once. A get counts until its body can be read, not while it is read: a reader that pauses,
 * or asks for another object meanwhile, must not be able to block itself. A listing does not count.
 */
export function withLimit(store: ObjectStore, requestsMax: number): ObjectStore {
  const limiter = new Limiter(requestsMax);
  return {
    name: store.name,
    put: (key, source, options) => limiter.run(() => store.put(key, source, options), options.signal),
    get: (key, options) => limiter.run(() => store.get(key, options), options?.signal),
    head: (key, options) => limiter.run(() => store.head(key, options), options?.signal),
    list: (prefix, options) => store.list(prefix, options),
    delete: (key, options) => limiter.run(() => store.delete(key, options), options?.signal),
    deleteMany: (keys, options) => limiter.run(() => store.deleteMany(keys, options), options?.signal),
    removeUnfinished: (prefix, options) => limiter.run(() => store.removeUnfinished(prefix, options), options.signal),
    create: (options) => limiter.run(() => store.create(options), options?.signal),
    close: () => store.close(),
  };
}
