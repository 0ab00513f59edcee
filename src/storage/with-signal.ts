import type { ObjectStore, RequestOptions } from './object-store.ts';

/** The same store, no request of which outlives the signal. Closing it closes nothing: it is only lent. */
export function withSignal(store: ObjectStore, signal: AbortSignal): ObjectStore {
  const both = <T extends RequestOptions>(options: T): T & { readonly signal: AbortSignal } => ({
    ...options,
    signal: options.signal ? AbortSignal.any([options.signal, signal]) : signal,
  });
  return {
    name: store.name,
    put: (key, source, options) => store.put(key, source, both(options)),
    get: (key, options = {}) => store.get(key, both(options)),
    head: (key, options = {}) => store.head(key, both(options)),
    list: (prefix, options = {}) => store.list(prefix, both(options)),
    delete: (key, options = {}) => store.delete(key, both(options)),
    deleteMany: (keys, options = {}) => store.deleteMany(keys, both(options)),
    removeUnfinished: (prefix, options) => store.removeUnfinished(prefix, both(options)),
    create: (options = {}) => store.create(both(options)),
    close: async () => {},
  };
}
