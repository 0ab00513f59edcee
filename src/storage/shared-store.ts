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

/** Stores for short uses: whoever asks while one is open gets the same one, with its connections and credentials. */
export class SharedStores {
  readonly #open: (options: StorageOptions) => Promise<ObjectStore>;
  readonly #idleMs: number;
  readonly #shared = new Map<string, Shared>();

  constructor(open: (options: StorageOptions) => Promise<ObjectStore>, idleMs: number) {
    this.#open = open;
    this.#idleMs = idleMs;
  }

  /** The store that a config describes. Closing gives it back. */
  async borrow(options: StorageOptions): Promise<ObjectStore> {
    const name = JSON.stringify(options);
    const entry = this.#shared.get(name) ?? { store: this.#open(options), users: 0 };
    this.#shared.set(name, entry);
    clearTimeout(entry.closing);
    entry.users++;
    try {
      let isMine = true;
      const close = async () => {
        if (isMine) this.#giveBack(name, entry);
        isMine = false;
      };
      return { ...passOn(await entry.store), close };
    } catch (error) {
      if (this.#shared.get(name) === entry) this.#shared.delete(name);
      throw error;
    }
  }

  #giveBack(name: string, entry: Shared): void {
    entry.users--;
    if (entry.users > 0) return;
    entry.closing = setTimeout(() => {
      this.#shared.delete(name);
      void entry.store.then((store) => store.close()).catch(() => {});
    }, this.#idleMs).unref();
  }
}

const ofThisThread = new SharedStores(openStore, idleMsMax);

/** The store that a config describes, for a short use in this thread. Closing gives it back. */
export function borrowStore(options: StorageOptions): Promise<ObjectStore> {
  return ofThisThread.borrow(options);
}
