import type { ObjectStore, RequestOptions } from './object-store.ts';

/** Each is asked before every such request, and by rejecting keeps it from being made. */
export interface StoreChecks {
  readonly beforePut?: (options: RequestOptions) => void | Promise<void>;
  readonly beforeDelete?: (options: RequestOptions) => void | Promise<void>;
}

/** The same store for somebody who may not always change it. */
export function withChecks(store: ObjectStore, { beforePut = noCheck, beforeDelete = noCheck }: StoreChecks): ObjectStore {
  return {
    name: store.name,
    put: async (key, source, options) => {
      await beforePut(options);
      return store.put(key, source, options);
    },
    get: (key, options) => store.get(key, options),
    head: (key, options) => store.head(key, options),
    list: (prefix, options) => store.list(prefix, options),
    delete: async (key, options = {}) => {
      await beforeDelete(options);
      return store.delete(key, options);
    },
    close: () => store.close(),
  };
}

function noCheck(): void {}
