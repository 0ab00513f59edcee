import { openStore } from './drivers.ts';
import type { ObjectStore } from './object-store.ts';
import type { StorageOptions } from './options.ts';
import { passOn } from './pass-on.ts';

/** A store that nobody has used for so long is closed. */
const idleMsMax = 10_000;

interface Shared {
  readonly store: Promise<ObjectStore>;
  users: number;
  closing?: NodeJS.Timeout;
}

const shared = new Map<string, Shared>();

/**
 * The store that a config describes, for a short use: whoever asks in this thread while it is open gets the same one, with its connections and
 * credentials. Closing gives it back.
 */
export async function borrowStore(options: StorageOptions): Promise<ObjectStore> {
  const name = JSON.stringify(options);
  const entry = shared.get(name) ?? { store: openStore(options), users: 0 };
  shared.set(name, entry);
  clearTimeout(entry.closing);
  entry.users++;
  try {
    const store = await entry.store;
    return { ...passOn(store), close: async () => giveBack(name, entry) };
  } catch (error) {
    shared.delete(name);
    throw error;
  }
}

function giveBack(name: string, entry: Shared): void {
  entry.users--;
  if (entry.users > 0) return;
  entry.closing = setTimeout(() => {
    shared.delete(name);
    void entry.store.then((store) => store.close()).catch(() => {});
  }, idleMsMax).unref();
}
