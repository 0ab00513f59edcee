import { chmod, mkdir, opendir, readFile, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fsyncDirectory, writeFileAtomic } from '../lib/atomic-file.ts';
import { lostAndFound, type TargetDirectory } from './check-directories.ts';
import { controlFile, incompleteMarker, restoreJournal } from './layout.ts';
import { writingLater } from './write-error.ts';

/**
 * Makes the directories ready to be filled: existing, closed to others, and marked as unfinished. What is to be emptied is empty then; what is to be reused, or
 * unfinished, still holds what it held.
 * `why` is what the marker tells whoever finds it.
 */
export async function prepareDirectory(target: TargetDirectory, why: string): Promise<void> {
  const { path } = target;
  await writingLater(path, async () => {
    if (target.state === 'absent') await makeDirectory(path);
    // First of all: from here on until the restore has ended PostgreSQL must not start.
    else await rm(join(path, controlFile), { force: true });
    if (target.state !== 'unfinished') await writeFileAtomic(join(path, incompleteMarker), why, { mode: 0o600 });
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
PostgreSQL cannot be started on it. Run the same pghoard_restore again, which goes on where it stopped; or with --overwrite and another
base backup, which empties the directory first; or remove the directory.
If global/pg_control is here, the restore was complete, and this file can be deleted.
`;
}

/** What the marker in a directory says; undefined where there is none. */
export async function markerIn(path: string): Promise<string | undefined> {
  return readFile(join(path, incompleteMarker), 'utf8').catch(() => undefined);
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

/** The journal goes first: it must not outlive what it tells of. */
async function emptyDirectory(path: string): Promise<void> {
  await rm(join(path, restoreJournal), { force: true });
  await fsyncDirectory(path);
  for await (const { name } of await opendir(path)) {
    if (name === lostAndFound || name === incompleteMarker) continue;
    await rm(join(path, name), { recursive: true, force: true });
  }
}
