import { isOperatorError, OperatorError } from '../lib/errors.ts';
import type { ObjectStore } from './object-store.ts';

type Open = () => ObjectStore | Promise<ObjectStore>;

/** Opens a store, or gives one that each request tries to open first. Whatever keeps it from being opened is `store-denied`: somebody has to mend it. */
export async function openNowOrLater(name: string, open: Open): Promise<ObjectStore> {
  try {
    return await open();
  } catch {
    return openLater(name, open);
  }
}

/** Requests that come while it is being opened share one attempt. */
function openLater(name: string, open: Open): ObjectStore {
  let opened: ObjectStore | undefined;
  let opening: Promise<ObjectStore> | undefined;
  const attempt = async () => {
    try {
      opened = await open();
      return opened;
    } catch (error) {
      throw isOperatorError(error, 'store-denied') ? error : unopened(name, error);
    } finally {
      opening = undefined;
    }
  };
  const store = async () => opened ?? (opening ??= attempt());
  return {
    name,
    put: async (...call) => (await store()).put(...call),
    get: async (...call) => (await store()).get(...call),
    head: async (...call) => (await store()).head(...call),
    list: async function* (...call) {
      yield* (await store()).list(...call);
    },
    delete: async (...call) => (await store()).delete(...call),
    deleteMany: async (...call) => (await store()).deleteMany(...call),
    removeUnfinished: async (...call) => (await store()).removeUnfinished(...call),
    create: async (...call) => (await store()).create(...call),
    close: async () => {
      await (opening?.catch(() => {}) ?? undefined);
      await opened?.close();
    },
  };
}

function unopened(name: string, cause: unknown): OperatorError {
  return new OperatorError('store-denied', `${name} cannot be opened as object_storage says`, {
    cause,
    hint: 'Mend that setting, or the file that it names and who may read it. A file is looked at again by itself, settings after a reload.',
  });
}
