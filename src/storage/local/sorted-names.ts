import { type Dirent } from 'node:fs';
import { opendir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { compareKeys } from '../key-order.ts';
import { isAbsent } from './read.ts';

/** Names held at a time; a larger directory is read several times rather than kept in memory. */
export const namesHeldMax = 50_000;

export interface SortedName {
  /** Ends in `/` for a directory, which is how it sorts among the keys of files. */
  readonly name: string;
  readonly isDirectory: boolean;
}

export interface SortedNamesOptions {
  readonly wanted: (name: string) => boolean;
  /** Told of every name that is not wanted. */
  readonly onOther?: (name: string) => void;
  readonly signal?: AbortSignal | undefined;
  readonly heldMax?: number;
}

/** The wanted files and directories in a directory in ascending order of their keys. A directory that is not there is empty. Other kinds are left out. */
export async function* sortedNames(directory: string, options: SortedNamesOptions): AsyncGenerator<SortedName> {
  const heldMax = options.heldMax ?? namesHeldMax;
  for (let after: string | undefined; ; ) {
    const page = await smallestNames(directory, after, heldMax, options);
    yield* page;
    if (page.length < heldMax) return;
    after = page.at(-1)?.name;
  }
}

async function smallestNames(
  directory: string,
  after: string | undefined,
  count: number,
  options: SortedNamesOptions,
): Promise<SortedName[]> {
  let held: SortedName[] = [];
  const keepSmallest = () => {
    held = held.toSorted((a, b) => compareKeys(a.name, b.name)).slice(0, count);
  };
  try {
    for await (const entry of await opendir(directory, { bufferSize: 256 })) {
      options.signal?.throwIfAborted();
      const found = options.wanted(entry.name) ? await describe(directory, entry) : undefined;
      if (!options.wanted(entry.name) && after === undefined) options.onOther?.(entry.name);
      if (!found || (after !== undefined && compareKeys(found.name, after) <= 0)) continue;
      held.push(found);
      if (held.length >= 2 * count) keepSmallest();
    }
  } catch (error) {
    if (!isAbsent(error)) throw error;
  }
  keepSmallest();
  return held;
}

async function describe(directory: string, entry: Dirent): Promise<SortedName | undefined> {
  const kind = entry.isSymbolicLink() ? await targetOf(join(directory, entry.name)) : entry;
  if (kind?.isDirectory()) return { name: `${entry.name}/`, isDirectory: true };
  return kind?.isFile() ? { name: entry.name, isDirectory: false } : undefined;
}

async function targetOf(path: string) {
  try {
    return await stat(path);
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}
