import { existsSync, lstatSync, mkdirSync, renameSync } from 'node:fs';
import { opendir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fsyncDirectory } from '../lib/atomic-file.ts';
import { systemErrorCode } from '../lib/errors.ts';
import { lostAndFound } from './check-directories.ts';
import { incompleteMarker, type Place, restoreJournal, setAside } from './layout.ts';
import { writingLater } from './write-error.ts';

/*
 * A restore that reuses a directory moves all that is there into a folder in it, takes back from there what the base backup has too, and removes the folder
 * with the rest at the end. So whatever is outside of the folder is the backup's, at every moment and however often the restore was stopped.
 */

const ours = new Set([incompleteMarker, restoreJournal, setAside, lostAndFound]);

/** Moves everything aside, durably. Can be repeated as long as nothing has been restored. */
export async function moveAside(root: string): Promise<void> {
  const folder = join(root, setAside);
  await writingLater(folder, async () => {
    if (!existsSync(folder)) mkdirSync(folder, { mode: 0o700 });
    for await (const { name } of await opendir(root)) if (!ours.has(name)) await rename(join(root, name), join(folder, name));
    await fsyncDirectory(folder);
    await fsyncDirectory(root);
  });
}

/** Removes what nobody has taken back. */
export async function removeSetAside(root: string): Promise<void> {
  const folder = join(root, setAside);
  await writingLater(folder, () => rm(folder, { recursive: true, force: true }));
}

/** Brings files back from where they were set aside, for one worker. */
export class SetAside {
  /** Folders that are no links, and so lead nowhere else. */
  readonly #real = new Set<string>();

  /** Moves the file of that name, if there is one and none is in its place yet. */
  takeBack({ root, relative }: Place, path: string): void {
    const from = join(root, setAside, relative);
    if (!this.#isReal(root, dirname(from)) || !lstatSync(from, { throwIfNoEntry: false })?.isFile() || existsSync(path)) return;
    try {
      renameSync(from, path);
    } catch (error) {
      // As if it were not there: it will be written anew.
      if (systemErrorCode(error) === undefined) throw error;
    }
  }

  #isReal(root: string, folder: string): boolean {
    if (folder === root || this.#real.has(folder)) return true;
    if (!this.#isReal(root, dirname(folder)) || !lstatSync(folder, { throwIfNoEntry: false })?.isDirectory()) return false;
    this.#real.add(folder);
    return true;
  }
}
