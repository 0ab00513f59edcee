import type { ObjectStore } from './object-store.ts';
import { passOn } from './pass-on.ts';
import { checkKey, checkPrefix } from './valid-key.ts';

/**
 * Refuses bad keys before anything is put in front of them. Stores in which a key is only a name can leave it at that, and must: the prefix of a
 * store may have what a key may not, such as a slash at the beginning.
 */
export function withKeyChecks(store: ObjectStore): ObjectStore {
  return {
    ...passOn(store),
    put: async (key, source, options) => {
      checkKey(key);
      return store.put(key, source, options);
    },
    get: async (key, options) => {
      checkKey(key);
      return store.get(key, options);
    },
    head: async (key, options) => {
      checkKey(key);
      return store.head(key, options);
    },
    async *list(prefix, options) {
      checkPrefix(prefix);
      for await (const entry of store.list(prefix, options)) {
        yield entry;
        // Drivers have the rest of a page at hand.
        options?.signal?.throwIfAborted();
      }
    },
    delete: async (key, options) => {
      checkKey(key);
      return store.delete(key, options);
    },
    deleteMany: async (keys, options) => {
      for (const key of keys) checkKey(key);
      return store.deleteMany(keys, options);
    },
    removeUnfinished: async (prefix, options) => {
      checkPrefix(prefix);
      return store.removeUnfinished(prefix, options);
    },
  };
}
