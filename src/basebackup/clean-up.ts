import { readdir, rm, rmdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { removeUnclaimed } from '../catalog/delta-files.ts';
import { systemErrorCode } from '../lib/errors.ts';
import { headIfThere } from '../storage/head-if-there.ts';
import type { BasebackupDeps, RunningBackup } from './job.ts';
import { isBasebackupName } from './plan.ts';

/**
 * Removes what backups left behind that a dead process was taking: their spool directories and the chunks already stored. The spool
 * directory goes last, as the only sign of such chunks: if the store cannot be reached it stays, empty, and this rejects; call again later.
 * Must not run while a backup of the same site is being taken.
 */
export async function cleanUpAfterCrash(deps: Pick<BasebackupDeps, 'catalog' | 'spool' | 'log'>, signal?: AbortSignal): Promise<void> {
  const { store, keys } = deps.catalog;
  for (const directory of await leftDirectories(deps)) {
    const name = basename(directory);
    await emptyDirectory(directory);
    // With its main object the backup is complete, and only its spool directory was still to be removed.
    if (!(await isCommitted(deps, name, signal))) {
      // Half of a main object may be there; without its chunks it must not look like one that lost its metadata.
      for (const key of [keys.basebackupMain(name), keys.basebackup(name)]) await store.delete(key, { signal });
      await deps.catalog.removeChunks(name, signal);
      await store.delete(keys.deltaIndex(name), { signal });
      deps.log.info({ basebackup: name }, 'removed what an interrupted base backup had left');
    }
    await rmdir(directory);
  }
}

/** Removes everything of a backup that failed: the main object first, so that nothing torn is ever visible. */
export async function removeFailedBackup(
  deps: BasebackupDeps,
  { name, directory, newDeltaFiles }: Pick<RunningBackup, 'name' | 'directory' | 'newDeltaFiles'>,
  signal: AbortSignal,
): Promise<void> {
  await emptyDirectory(directory);
  const { store, keys } = deps.catalog;
  for (const key of [keys.basebackupMain(name), keys.basebackup(name), keys.deltaIndex(name)]) await store.delete(key, { signal });
  await deps.catalog.removeChunks(name, signal);
  await removeUnclaimed(deps.catalog, newDeltaFiles, signal);
  await rmdir(directory);
}

async function leftDirectories({ spool }: Pick<BasebackupDeps, 'spool'>): Promise<string[]> {
  const incoming = dirname(spool.basebackupDirectory('x'));
  try {
    const entries = await readdir(incoming, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory() && isBasebackupName(entry.name)).map((entry) => join(incoming, entry.name));
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return [];
    throw error;
  }
}

async function emptyDirectory(directory: string): Promise<void> {
  for (const name of await readdir(directory)) await rm(join(directory, name), { recursive: true, force: true });
}

async function isCommitted({ catalog }: Pick<BasebackupDeps, 'catalog'>, name: string, signal?: AbortSignal): Promise<boolean> {
  const { store, keys } = catalog;
  const found = (await headIfThere(store, keys.basebackupMain(name), signal)) ?? (await headIfThere(store, keys.basebackup(name), signal));
  return found !== undefined;
}
