import { dirname } from 'node:path';
import { type Clock, systemClock } from '../../lib/clock.ts';
import type { ChangeableTree } from './file-tree.ts';
import { sidecarOf, temporaryIn } from './names.ts';

/*
 * An object is two files, and it exists once both do. They cannot be put in place in one step, so the order carries the promises:
 *
 *   new object    data, then metadata: half of it is not an object.
 *   replacement   old metadata away, data, then metadata: new data is never seen beside old metadata. Between the first and the last step
 *                 the object is missing; readers look again. A crash there leaves no object: the put was not acknowledged, so it
 *                 is repeated. Where the metadata stays the same (an upload repeated), only the data is renamed and nothing is ever missing.
 *   create only   the data gets a name that nothing may have: of many writers one wins.
 *
 * Steps whose order matters are separated by fsync of the directory. Puts of one key by one thread are serialised (key-lock.ts); two
 * processes that replace the same key at the same time are not protected from each other, creators are.
 */

/** Durable files under temporary names, ready to be put in place. */
export interface StagedFiles {
  readonly dataPath: string;
  readonly sidecarPath: string;
  readonly sidecarText: string;
}

/** How long data without metadata may be somebody's put in progress rather than what a crash has left. */
const settleMsMax = 1_000;
const settlePollMs = 50;

export async function publishReplacing(tree: ChangeableTree, path: string, staged: StagedFiles): Promise<void> {
  const directory = dirname(path);
  const sidecar = sidecarOf(path);
  const before = await tree.readSidecar(sidecar);
  if (before === staged.sidecarText) {
    await tree.rename(staged.dataPath, path);
    await tree.syncDirectory(directory);
    return;
  }
  if (before !== undefined) {
    await tree.remove(sidecar);
    await tree.syncDirectory(directory);
  }
  await tree.rename(staged.dataPath, path);
  if (before !== undefined) await tree.syncDirectory(directory);
  await tree.rename(staged.sidecarPath, sidecar);
  await tree.syncDirectory(directory);
}

/** Says whether the object was created; false: it was there already. */
export async function publishNew(tree: ChangeableTree, path: string, staged: StagedFiles, clock: Clock = systemClock): Promise<boolean> {
  const sidecar = sidecarOf(path);
  for (;;) {
    const data = await tree.fileIdentity(path);
    if (data === undefined) {
      await removeLoneSidecar(tree, sidecar);
      if (!(await tree.claim(staged.dataPath, path))) continue;
      await tree.rename(staged.sidecarPath, sidecar);
      await tree.syncDirectory(dirname(path));
      return true;
    }
    if (await becomesObject(tree, path, sidecar, clock)) return false;
    await takeAway(tree, path, data);
  }
}

/** Waits until data that has no metadata gets it, goes away, or has been there for too long. */
async function becomesObject(tree: ChangeableTree, path: string, sidecar: string, clock: Clock): Promise<boolean> {
  for (let waitedMs = 0; ; waitedMs += settlePollMs) {
    if ((await tree.fileIdentity(sidecar)) !== undefined) return (await tree.fileIdentity(path)) !== undefined;
    if ((await tree.fileIdentity(path)) === undefined || waitedMs >= settleMsMax) return false;
    await clock.sleep(settlePollMs);
  }
}

/** Metadata whose data is gone is what an interrupted deletion leaves; beside new data it would be believed. */
async function removeLoneSidecar(tree: ChangeableTree, sidecar: string): Promise<void> {
  const identity = await tree.fileIdentity(sidecar);
  if (identity !== undefined) await takeAway(tree, sidecar, identity);
}

/** Removes the file if it is the one that was seen; if another has come in its place meanwhile, that one is put back. */
async function takeAway(tree: ChangeableTree, path: string, identity: string): Promise<void> {
  const aside = temporaryIn(dirname(path));
  if (!(await tree.setAside(path, aside))) return;
  if ((await tree.fileIdentity(aside)) !== identity) await tree.claim(aside, path);
  await tree.remove(aside);
  await tree.syncDirectory(dirname(path));
}
