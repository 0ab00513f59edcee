import type { ObjectStore, RequestOptions } from './object-store.ts';
import { passOn } from './pass-on.ts';

/** Each is asked before every such request, and by rejecting keeps it from being made. */
export interface StoreChecks {
  readonly beforePut?: (options: RequestOptions) => void | Promise<void>;
  readonly beforeDelete?: (options: RequestOptions) => void | Promise<void>;
}

/** The same store for somebody who may not always change it. */
export function withChecks(store: ObjectStore, { beforePut = noCheck, beforeDelete = noCheck }: StoreChecks): ObjectStore {
  return {
    ...passOn(store),
    put: async (key, source, options) => {
      await beforePut(options);
      return store.put(key, source, options);
    },
    delete: async (key, options = {}) => {
      await beforeDelete(options);
      return store.delete(key, options);
    },
    deleteMany: async (keys, options = {}) => {
      await beforeDelete(options);
      return store.deleteMany(keys, options);
    },
    removeUnfinished: async (prefix, options) => {
      await beforeDelete(options);
      return store.removeUnfinished(prefix, options);
    },
  };
}

function noCheck(): void {}
