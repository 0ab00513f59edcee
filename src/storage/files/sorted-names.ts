import { join } from 'node:path';
import { compareKeys } from '../key-order.ts';
import { ifThere, type ListableTree, type TreeEntry } from './file-tree.ts';

/** Names held at a time; a larger directory is read several times rather than kept in memory. */
export const namesHeldMax = 200_000;

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
export async function* sortedNamesIn(tree: ListableTree, directory: string, options: SortedNamesOptions): AsyncGenerator<SortedName> {
  const heldMax = options.heldMax ?? namesHeldMax;
  for (let after: string | undefined; ; ) {
    const page = await smallestNames(tree, directory, after, heldMax, options);
    for (const name of page) yield { name, isDirectory: name.endsWith('/') };
    if (page.length < heldMax) return;
    after = page.at(-1);
  }
}

async function smallestNames(
  tree: ListableTree,
  directory: string,
  after: string | undefined,
  count: number,
  { wanted, onOther, signal }: SortedNamesOptions,
): Promise<string[]> {
  const held: string[] = [];
  /** What sorts behind it is not among the smallest. */
  let limit: string | undefined;
  const keepSmallest = () => {
    held.sort(compareKeys);
    if (held.length < count) return;
    held.length = count;
    limit = held.at(-1);
  };
  try {
    for await (const entry of tree.entries(directory)) {
      signal?.throwIfAborted();
      if (!wanted(entry.name)) {
        if (after === undefined) onOther?.(entry.name);
        continue;
      }
      const kind = entry.isSymbolicLink() ? await ifThere(tree, tree.stat(join(directory, entry.name))) : entry;
      const name = nameAmongKeys(entry.name, kind);
      if (name === undefined || (after !== undefined && compareKeys(name, after) <= 0)) continue;
      if (limit !== undefined && compareKeys(name, limit) > 0) continue;
      held.push(name);
      if (held.length >= 2 * count) keepSmallest();
    }
  } catch (error) {
    if (!tree.isAbsent(error)) throw error;
  }
  keepSmallest();
  return held;
}

function nameAmongKeys(name: string, kind: Pick<TreeEntry, 'isDirectory' | 'isFile'> | undefined): string | undefined {
  if (kind?.isDirectory()) return `${name}/`;
  return kind?.isFile() ? name : undefined;
}
