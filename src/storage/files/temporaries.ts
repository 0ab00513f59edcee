import { join } from 'node:path';
import { ifThere, type ListableTree } from './file-tree.ts';
import { isObjectName, isTemporary } from './names.ts';

/** Paths of temporary files in the directories whose keys begin with `prefix`, in no order. */
export async function* temporariesBelow(
  tree: ListableTree,
  base: string,
  prefix: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<string> {
  const start = prefix.slice(0, prefix.lastIndexOf('/') + 1);
  if (await ifThere(tree, tree.stat(join(base, start)))) yield* walk(tree, base, start, prefix, signal);
}

async function* walk(
  tree: ListableTree,
  base: string,
  directory: string,
  prefix: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<string> {
  const below: string[] = [];
  for await (const entry of tree.entries(join(base, directory))) {
    signal?.throwIfAborted();
    if (entry.isFile() && isTemporary(entry.name) && directory.startsWith(prefix)) yield join(base, directory, entry.name);
    const key = `${directory}${entry.name}/`;
    if (entry.isDirectory() && isObjectName(entry.name) && (key.startsWith(prefix) || prefix.startsWith(key))) below.push(key);
  }
  for (const key of below) yield* walk(tree, base, key, prefix, signal);
}
