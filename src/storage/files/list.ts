import { join } from 'node:path';
import { compareKeys } from '../key-order.ts';
import type { ListOptions, ObjectInfo } from '../object-store.ts';
import { ifThere, type ListableTree, type TreeStats } from './file-tree.ts';
import { isObjectName, isTemporary, sidecarOf } from './names.ts';
import { type SortedName, sortedNamesIn } from './sorted-names.ts';

export interface WalkOptions extends ListOptions {
  readonly onTemporary?: (path: string) => void;
  /** Objects whose size and time are asked for at once. */
  readonly lookAhead: number;
  readonly namesHeldMax?: number;
}

/** Objects below `base` whose keys begin with `prefix`, in byte order of their keys, whatever the nesting. */
export async function* listObjects(tree: ListableTree, base: string, prefix: string, options: WalkOptions): AsyncGenerator<ObjectInfo> {
  options.signal?.throwIfAborted();
  const start = prefix.slice(0, prefix.lastIndexOf('/') + 1);
  yield* walk({ tree, base, prefix, options }, start, []);
}

interface Walk {
  readonly tree: ListableTree;
  readonly base: string;
  readonly prefix: string;
  readonly options: WalkOptions;
}

/** `directory`: key of a directory with its slash, or empty. `above`: identities of the directories it lies in, against loops of symbolic links. */
async function* walk(at: Walk, directory: string, above: readonly string[]): AsyncGenerator<ObjectInfo> {
  const identity = await ifThere(at.tree, at.tree.directoryIdentity(join(at.base, directory)));
  if (identity === undefined || above.includes(identity)) return;
  let files: string[] = [];
  for await (const { name, isDirectory } of namesIn(at, directory)) {
    const key = directory + name;
    if (!isWanted(at, key, isDirectory)) continue;
    if (!isDirectory) files.push(key);
    if (isDirectory || files.length >= at.options.lookAhead) {
      yield* await describeAll(at, files);
      files = [];
    }
    if (isDirectory) yield* walk(at, key, [...above, identity]);
  }
  yield* await describeAll(at, files);
}

function namesIn(at: Walk, directory: string): AsyncGenerator<SortedName> {
  const { onTemporary, signal, namesHeldMax } = at.options;
  const path = join(at.base, directory);
  const onOther = (name: string) => {
    if (onTemporary && isTemporary(name)) onTemporary(join(path, name));
  };
  return sortedNamesIn(at.tree, path, {
    wanted: isObjectName,
    onOther,
    signal,
    ...(namesHeldMax === undefined ? {} : { heldMax: namesHeldMax }),
  });
}

function isWanted({ prefix, options: { after } }: Walk, key: string, isDirectory: boolean): boolean {
  if (!key.startsWith(prefix) && !(isDirectory && prefix.startsWith(key))) return false;
  if (after === undefined || compareKeys(key, after) > 0) return true;
  return isDirectory && after.startsWith(key);
}

async function describeAll(at: Walk, keys: readonly string[]): Promise<ObjectInfo[]> {
  const found = await Promise.all(keys.map((key) => describe(at, key)));
  at.options.signal?.throwIfAborted();
  return found.filter((entry) => entry !== undefined);
}

/** `undefined` where the data has no metadata beside it: not an object, or not yet. */
async function describe({ tree, base, options }: Walk, key: string): Promise<ObjectInfo | undefined> {
  const path = join(base, key);
  const [data, sidecar] = await Promise.all([fileAt(tree, path), fileAt(tree, sidecarOf(path))]);
  if (data && sidecar) return { key, size: data.size, lastModified: data.mtime };
  if (data) options.onIncomplete?.(key);
  return undefined;
}

async function fileAt(tree: ListableTree, path: string): Promise<TreeStats | undefined> {
  const found = await ifThere(tree, tree.stat(path));
  return found?.isFile() ? found : undefined;
}
