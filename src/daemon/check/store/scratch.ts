import { rm, rmdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { SiteKeys } from '../../../catalog/keys.ts';
import type { Random } from '../../../lib/random.ts';
import { deleteAll, type LockedSummary, noneLocked } from '../../../storage/delete-many.ts';
import { removeEmptyDirectories } from '../../../storage/drivers.ts';
import type { ObjectStore } from '../../../storage/object-store.ts';
import type { StorageOptions } from '../../../storage/options.ts';
import { passOn } from '../../../storage/pass-on.ts';
import { withPrefix } from '../../../storage/with-prefix.ts';

export const cleanUpMsMax = 30_000;
/** How long uploads that nobody waits for any more may take to end. */
const settleMsMax = 10_000;
const roundsMax = 3;
/** What an earlier check left is nobody's by then. */
const abandonedMs = 3_600_000;

export interface ScratchPlace {
  readonly store: ObjectStore;
  readonly keys: SiteKeys;
  readonly storage: StorageOptions;
  readonly random: Random;
}

/** A corner of a store where anything may be tried. It is emptied whatever happens, and every other part of the store stays as it is. */
export class Scratch {
  readonly #store: ObjectStore;
  readonly #prefix: string;
  readonly #storage: StorageOptions;
  /** Of a local store: its directory, and the lowest one that was there before. */
  readonly #local: { readonly directory: string; readonly before: string } | undefined;
  readonly #puts = new Set<Promise<unknown>>();

  static async open({ store, keys, storage, random }: ScratchPlace): Promise<Scratch> {
    const prefix = `${keys.scratchPrefix}${random.hex(8)}/`;
    if (storage.storage_type !== 'local') return new Scratch(store, prefix, storage, undefined);
    const directory = directoryOf(storage, prefix);
    return new Scratch(store, prefix, storage, { directory, before: await lowestThatExists(directory) });
  }

  private constructor(
    store: ObjectStore,
    prefix: string,
    storage: StorageOptions,
    local: { directory: string; before: string } | undefined,
  ) {
    this.#store = store;
    this.#prefix = prefix;
    this.#storage = storage;
    this.#local = local;
  }

  /** A part of it that looks like a whole store. */
  part(name: string): ObjectStore {
    return withPrefix(this.#remembering(), `${this.#prefix}${name}`);
  }

  /** Removes all of it, also where the check itself was interrupted. Resolves to what a lock keeps. */
  async clear(): Promise<LockedSummary> {
    const signal = AbortSignal.timeout(cleanUpMsMax);
    await Promise.race([Promise.allSettled(this.#puts), new Promise((resolve) => setTimeout(resolve, settleMsMax).unref())]);
    let locked = noneLocked;
    for (let round = 0; round < roundsMax; round++) {
      let deleted = 0;
      locked = await deleteAll(this.#store, keysBelow(this.#store, this.#prefix, signal), {
        signal,
        onBatch: (keys) => void (deleted += keys.length),
      });
      if (deleted === locked.objects) break;
    }
    await this.#store.removeUnfinished(this.#prefix, { before: new Date(8.64e15), signal });
    await removeEmptyDirectories(this.#storage, this.#prefix, signal);
    if (this.#local !== undefined) await removeDirectories(this.#local.directory, this.#local.before);
    return locked;
  }

  #remembering(): ObjectStore {
    return {
      ...passOn(this.#store),
      put: (key, source, options) => {
        const put = this.#store.put(key, source, { ...options, isShortLived: true });
        const settled = put.then(
          () => void this.#puts.delete(settled),
          () => void this.#puts.delete(settled),
        );
        this.#puts.add(settled);
        return put;
      },
    };
  }
}

/** Removes what a check left that was killed. Resolves to how many objects that were. */
export async function removeAbandoned(
  { store, keys, storage }: Omit<ScratchPlace, 'random'>,
  now: Date,
  signal: AbortSignal,
): Promise<number> {
  let count = 0;
  const runs = new Set<string>();
  const onBatch = (batch: readonly string[]) => {
    count += batch.length;
    for (const key of batch) runs.add(key.slice(0, key.indexOf('/', keys.scratchPrefix.length) + 1));
  };
  await deleteAll(store, keysBelow(store, keys.scratchPrefix, signal, now.getTime() - abandonedMs), { signal, onBatch });
  for (const run of runs) if (run.length > keys.scratchPrefix.length) await removeDirectoriesOf(storage, run, signal);
  return count;
}

async function removeDirectoriesOf(storage: StorageOptions, prefix: string, signal: AbortSignal): Promise<void> {
  await removeEmptyDirectories(storage, prefix, signal);
  if (storage.storage_type === 'local') await rm(directoryOf(storage, prefix), { recursive: true, force: true });
}

function directoryOf({ directory, prefix }: Extract<StorageOptions, { storage_type: 'local' }>, below: string): string {
  return join(directory, prefix ?? '', below);
}

async function* keysBelow(
  store: ObjectStore,
  prefix: string,
  signal: AbortSignal,
  olderThanMs = Number.POSITIVE_INFINITY,
): AsyncGenerator<string> {
  for await (const { key, lastModified } of store.list(prefix, { signal })) if (lastModified.getTime() < olderThanMs) yield key;
}

/** The directory with what is left in it, then those above it that were not there before and hold nothing of anybody else. */
async function removeDirectories(directory: string, before: string): Promise<void> {
  await rm(directory, { recursive: true, force: true });
  for (let above = dirname(directory); above.length > before.length; above = dirname(above)) {
    const isGone = await rmdir(above).then(
      () => true,
      () => false,
    );
    if (!isGone) return;
  }
}

async function lowestThatExists(path: string): Promise<string> {
  const isThere = await stat(path).then(
    () => true,
    () => false,
  );
  return isThere || dirname(path) === path ? path : lowestThatExists(dirname(path));
}
