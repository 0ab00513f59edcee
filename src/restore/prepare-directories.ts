import { chmod, mkdir, opendir, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fsyncDirectory, writeFileAtomic } from '../lib/atomic-file.ts';
import { lostAndFound, type TargetDirectory } from './check-directories.ts';
import { controlFile, incompleteMarker } from './layout.ts';
import { writingLater } from './write-error.ts';

/**
 * Makes the directories ready to be filled: existing, empty, closed to others, and marked as unfinished.
 * `why` is what the marker tells whoever finds it.
 */
export async function prepareDirectory(target: TargetDirectory, why: string): Promise<void> {
  const { path } = target;
  await writingLater(path, async () => {
    if (target.state === 'absent') await makeDirectory(path);
    // First of all: from here on until the restore has ended PostgreSQL must not start.
    else await rm(join(path, controlFile), { force: true });
    await writeFileAtomic(join(path, incompleteMarker), why, { mode: 0o600 });
    if (target.state === 'to-be-emptied') await emptyDirectory(path);
    await chmod(path, (await isGroupReadable(path)) ? 0o750 : 0o700);
    await fsyncDirectory(path);
  });
}

/** Takes the mark away: the directory is complete. */
export async function unmarkDirectory(path: string): Promise<void> {
  await rm(join(path, incompleteMarker), { force: true });
  await fsyncDirectory(path);
}

export function markerText(backupKey: string, startedAt: Date): string {
  return `pghoard_restore began to restore the base backup ${backupKey} into this directory at ${startedAt.toISOString()}.

While this file is here and global/pg_control is not, the restore has not ended: it is running, or it failed or was stopped.
PostgreSQL cannot be started on it. Run pghoard_restore again with --overwrite, which empties the directory first, or remove it.
If global/pg_control is here, the restore was complete, and this file can be deleted.
`;
}

/** PostgreSQL accepts data directories of mode 0700 and 0750 only. */
async function isGroupReadable(path: string): Promise<boolean> {
  return ((await stat(path)).mode & 0o777) === 0o750;
}

async function makeDirectory(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  for (let made = path; made !== dirname(first); made = dirname(made)) await fsyncDirectory(dirname(made));
}

async function emptyDirectory(path: string): Promise<void> {
  for await (const { name } of await opendir(path)) {
    if (name === lostAndFound || name === incompleteMarker) continue;
    await rm(join(path, name), { recursive: true, force: true });
  }
}
