import { OperatorError } from '../lib/errors.ts';
import type { ObjectInfo, ObjectStore } from './object-store.ts';
import { passOn } from './pass-on.ts';

/** `prefix` of `object_storage` as it stands before every key: empty, or ending in one slash. */
export function normaliseStorePrefix(prefix: string): string {
  const trimmed = prefix.replace(/\/+$/, '');
  return trimmed === '' ? '' : `${trimmed}/`;
}

/** Puts `prefix` before every key on the way in and takes it off on the way out. A slash is put between them where there is none. */
export function withPrefix(store: ObjectStore, storePrefix: string): ObjectStore {
  const prefix = storePrefix === '' || storePrefix.endsWith('/') ? storePrefix : `${storePrefix}/`;
  if (prefix === '') return store;
  const name = `${store.name}, prefix ${prefix}`;
  const strip = <T extends ObjectInfo>(entry: T): T => {
    if (entry.key.startsWith(prefix)) return { ...entry, key: entry.key.slice(prefix.length) };
    throw new OperatorError('store-failed', `${store.name} listed ${entry.key}, which does not begin with ${prefix}`);
  };
  return {
    ...passOn(store),
    name,
    put: async (key, source, options) => strip(await store.put(prefix + key, source, options)),
    get: async (key, options) => {
      const body = await store.get(prefix + key, options);
      return { ...body, entry: strip(body.entry) };
    },
    head: async (key, options) => strip(await store.head(prefix + key, options)),
    async *list(start, options = {}) {
      const { after, onIncomplete } = options;
      const inner = {
        ...options,
        ...(after !== undefined && { after: prefix + after }),
        ...(onIncomplete && { onIncomplete: (key: string) => onIncomplete(key.slice(prefix.length)) }),
      };
      for await (const entry of store.list(prefix + start, inner)) yield strip(entry);
    },
    delete: (key, options) => store.delete(prefix + key, options),
    deleteMany: async (keys, options) => {
      const locked = await store.deleteMany(
        keys.map((key) => prefix + key),
        options,
      );
      return locked.map((object) => ({ ...object, key: object.key.slice(prefix.length) }));
    },
    removeUnfinished: (start, options) => store.removeUnfinished(prefix + start, options),
  };
}
