import { unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fsyncDirectory } from '../../lib/atomic-file.ts';
import { systemErrorCode } from '../../lib/errors.ts';
import { forEachLimited } from '../../lib/limiter.ts';
import { withPathLocked } from './key-lock.ts';
import { sidecarOf } from './names.ts';
import { isAbsent } from './read.ts';

/** As many as Node has threads for such calls. */
const removalsMax = 4;

/**
 * Removes objects durably. Of each the data go first: a crash leaves at most a sidecar without data, which nobody takes for an object.
 * A directory is fsynced once, after all that was removed from it.
 */
export async function removeObjects(paths: readonly string[]): Promise<void> {
  const changed = new Set<string>();
  await forEachLimited(paths, removalsMax, async (path) => {
    if (await withPathLocked(path, () => removeObject(path))) changed.add(dirname(path));
  });
  for (const directory of changed) await fsyncDirectory(directory);
}

/** Says whether there was any of it. */
async function removeObject(path: string): Promise<boolean> {
  const hadData = await removeFile(path);
  const hadMetadata = await removeFile(sidecarOf(path));
  return hadData || hadMetadata;
}

/** Says whether there was one. A directory is not. */
async function removeFile(path: string): Promise<boolean> {
  try {
    await unlink(path);
    return true;
  } catch (error) {
    if (isAbsent(error) || systemErrorCode(error) === 'EISDIR') return false;
    throw error;
  }
}
