import type { Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { compareKeys } from '../key-order.ts';
import type { ListOptions, ObjectInfo } from '../object-store.ts';
import { isObjectName, isTemporary, sidecarOf } from './names.ts';
import { isAbsent } from './read.ts';
import { type SortedName, sortedNames } from './sorted-names.ts';

/** Objects whose size and time are asked for at once. */
const lookAhead = 16;

export interface WalkOptions extends ListOptions {
  readonly onTemporary: (path: string) => void;
  readonly namesHeldMax?: number;
}

/** Objects below `base` whose keys begin with `prefix`, in byte order of their keys, whatever the nesting. */
export async function* listObjects(base: string, prefix: string, options: WalkOptions): AsyncGenerator<ObjectInfo> {
  options.signal?.throwIfAborted();
  const start = prefix.slice(0, prefix.lastIndexOf('/') + 1);
  yield* walk({ base, prefix, options }, start, []);
}

interface Walk {
  readonly base: string;
  readonly prefix: string;
  readonly options: WalkOptions;
}

/** `directory`: key of a directory with its slash, or empty. `above`: identities of the directories it lies in, against loops of symbolic links. */
async function* walk(at: Walk, directory: string, above: readonly string[]): AsyncGenerator<ObjectInfo> {
  const identity = await identityOf(join(at.base, directory));
  if (identity === undefined || above.includes(identity)) return;
  let files: string[] = [];
  for await (const { name, isDirectory } of namesIn(at, directory)) {
    const key = directory + name;
    if (!isWanted(at, key, isDirectory)) continue;
    if (!isDirectory) files.push(key);
    if (isDirectory || files.length >= lookAhead) {
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
    if (isTemporary(name)) onTemporary(join(path, name));
  };
  return sortedNames(path, { wanted: isObjectName, onOther, signal, ...(namesHeldMax === undefined ? {} : { heldMax: namesHeldMax }) });
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
async function describe({ base, options }: Walk, key: string): Promise<ObjectInfo | undefined> {
  const path = join(base, key);
  const [data, sidecar] = await Promise.all([fileAt(path), fileAt(sidecarOf(path))]);
  if (data && sidecar) return { key, size: data.size, lastModified: data.mtime };
  if (data) options.onIncomplete?.(key);
  return undefined;
}

async function fileAt(path: string): Promise<Stats | undefined> {
  try {
    const found = await stat(path);
    return found.isFile() ? found : undefined;
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

async function identityOf(path: string): Promise<string | undefined> {
  try {
    const { dev, ino } = await stat(path);
    return `${dev}:${ino}`;
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}
