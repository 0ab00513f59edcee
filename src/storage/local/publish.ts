import { link, lstat, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fsyncDirectory } from '../../lib/atomic-file.ts';
import { type Clock, systemClock } from '../../lib/clock.ts';
import { systemErrorCode } from '../../lib/errors.ts';
import { sidecarOf, temporaryIn } from './names.ts';
import { isAbsent } from './read.ts';
import { readSidecar } from './sidecar.ts';
import type { Staged } from './stage.ts';

/*
 * An object is two files, and it exists once both do. They cannot be put in place in one step, so the order carries the promises:
 *
 *   new object    data, then metadata: half of it is not an object.
 *   replacement   old metadata away, data, then metadata: new data is never seen beside old metadata. Between the first and the last step
 *                 the object is missing; readers look again (read.ts). A crash there leaves no object: the put was not acknowledged, so it
 *                 is repeated. Where the metadata stays the same (an upload repeated), only the data is renamed and nothing is ever missing.
 *   create only   the data gets its name by link(2), which fails where a file is: of many writers one wins.
 *
 * Steps whose order matters are separated by fsync of the directory. Puts of one key by one thread are serialised (key-lock.ts); two
 * processes that replace the same key at the same time are not protected from each other, creators are.
 */

/** How long data without metadata may be somebody's put in progress rather than what a crash has left. */
const settleMsMax = 1_000;
const settlePollMs = 50;

export async function publishReplacing(path: string, staged: Staged): Promise<void> {
  const directory = dirname(path);
  const sidecar = sidecarOf(path);
  const before = await readSidecar(sidecar);
  if (before === staged.sidecarText) {
    await rename(staged.dataPath, path);
    await fsyncDirectory(directory);
    return;
  }
  if (before !== undefined) {
    await rm(sidecar);
    await fsyncDirectory(directory);
  }
  await rename(staged.dataPath, path);
  if (before !== undefined) await fsyncDirectory(directory);
  await rename(staged.sidecarPath, sidecar);
  await fsyncDirectory(directory);
}

/** Says whether the object was created; false: it was there already. */
export async function publishNew(path: string, staged: Staged, clock: Clock = systemClock): Promise<boolean> {
  const sidecar = sidecarOf(path);
  for (;;) {
    const data = await inodeOf(path);
    if (data === undefined) {
      await removeLoneSidecar(sidecar);
      if (!(await tryLink(staged.dataPath, path))) continue;
      await rename(staged.sidecarPath, sidecar);
      await fsyncDirectory(dirname(path));
      return true;
    }
    if (await becomesObject(path, sidecar, clock)) return false;
    await takeAway(path, data);
  }
}

/** Waits until data that has no metadata gets it, goes away, or has been there for too long. */
async function becomesObject(path: string, sidecar: string, clock: Clock): Promise<boolean> {
  for (let waitedMs = 0; ; waitedMs += settlePollMs) {
    if ((await inodeOf(sidecar)) !== undefined) return (await inodeOf(path)) !== undefined;
    if ((await inodeOf(path)) === undefined || waitedMs >= settleMsMax) return false;
    await clock.sleep(settlePollMs);
  }
}

/** Metadata whose data is gone is what an interrupted deletion leaves; beside new data it would be believed. */
async function removeLoneSidecar(sidecar: string): Promise<void> {
  const inode = await inodeOf(sidecar);
  if (inode !== undefined) await takeAway(sidecar, inode);
}

/** Removes the file if it is the one that was seen; if another has come in its place meanwhile, that one is put back. */
async function takeAway(path: string, inode: number): Promise<void> {
  const aside = temporaryIn(dirname(path));
  try {
    await rename(path, aside);
  } catch (error) {
    if (isAbsent(error)) return;
    throw error;
  }
  if ((await inodeOf(aside)) !== inode) await tryLink(aside, path);
  await rm(aside, { force: true });
  await fsyncDirectory(dirname(path));
}

async function tryLink(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (systemErrorCode(error) === 'EEXIST') return false;
    throw error;
  }
}

async function inodeOf(path: string): Promise<number | undefined> {
  try {
    return (await lstat(path)).ino;
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}
