import type { ObjectStore } from '../../src/storage/object-store.ts';
import { passOn } from '../../src/storage/pass-on.ts';
import { storeMissing } from '../../src/storage/store-errors.ts';

/** A store whose bucket is not there until somebody makes it; `there` tells, and may be changed. */
export type AbsentStore = ObjectStore & { there: boolean; creations: number };

export function absentStore(inner: ObjectStore): AbsentStore {
  const require = () => {
    if (!store.there) throw storeMissing(inner.name);
  };
  const store: AbsentStore = {
    ...passOn(inner),
    there: false,
    creations: 0,
    put: async (...call) => (require(), inner.put(...call)),
    get: async (...call) => (require(), inner.get(...call)),
    head: async (...call) => (require(), inner.head(...call)),
    async *list(...call) {
      require();
      yield* inner.list(...call);
    },
    delete: async (...call) => (require(), inner.delete(...call)),
    deleteMany: async (...call) => (require(), inner.deleteMany(...call)),
    removeUnfinished: async (...call) => (require(), inner.removeUnfinished(...call)),
    create: async () => {
      store.creations++;
      store.there = true;
    },
  };
  return store;
}
