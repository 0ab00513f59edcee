import { dirname } from 'node:path';
import { forEachLimited } from '../../lib/limiter.ts';
import type { ChangeableTree } from './file-tree.ts';
import { withPathLocked } from './key-lock.ts';
import { sidecarOf } from './names.ts';

export interface Removal {
  /** Objects removed at once. */
  readonly removalsMax: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Removes objects durably. Of each the data go first: a crash leaves at most a sidecar without data, which nobody takes for an object.
 * A directory is synced once, after all that was removed from it.
 */
export async function removeObjects(tree: ChangeableTree, paths: readonly string[], { removalsMax, signal }: Removal): Promise<void> {
  const changed = new Set<string>();
  await forEachLimited(paths, removalsMax, async (path) => {
    signal?.throwIfAborted();
    if (await withPathLocked(tree.lockOf(path), () => removeObject(tree, path))) changed.add(dirname(path));
  });
  for (const directory of changed) await tree.syncDirectory(directory);
}

/** Says whether there was any of it. */
async function removeObject(tree: ChangeableTree, path: string): Promise<boolean> {
  const hadData = await tree.remove(path);
  const hadMetadata = await tree.remove(sidecarOf(path));
  return hadData || hadMetadata;
}
