import type { ObjectStore } from './object-store.ts';

/** A layer that changes nothing, to begin a layer with: `{ ...passOn(store), delete: … }`. */
export function passOn(store: ObjectStore): ObjectStore {
  return {
    name: store.name,
    put: (...call) => store.put(...call),
    get: (...call) => store.get(...call),
    head: (...call) => store.head(...call),
    list: (...call) => store.list(...call),
    delete: (...call) => store.delete(...call),
    deleteMany: (...call) => store.deleteMany(...call),
    removeUnfinished: (...call) => store.removeUnfinished(...call),
    create: (...call) => store.create(...call),
    close: () => store.close(),
  };
}
