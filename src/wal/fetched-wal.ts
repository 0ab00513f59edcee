import { constants, copyFile, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { cannotWrite } from '../codec/sink-file.ts';
import { systemErrorCode } from '../lib/errors.ts';
import { systemRandom } from '../lib/random.ts';

/** A fetched file in the hands of one caller. It must be released, or moved away. */
export interface FetchedWal extends AsyncDisposable {
  readonly name: string;
  readonly path: string;
  readonly bytes: number;
  readonly hash: string;
  /** As node:crypto names it. */
  readonly hashAlgorithm: string;
  /** Puts the file to `target`, whole or not at all, owned by the owner of the directory there, and releases it. */
  moveTo(target: string): Promise<void>;
  release(): Promise<void>;
}

/** What a temporary file next to a target ends with. */
export const targetTemporarySuffix = '.pghoard.tmp';

/**
 * Moves or, where others still read `path` or it lies on another filesystem, copies a finished file to `target`.
 * The file then belongs to whom its directory belongs to: a daemon run by root serves a PostgreSQL that is not.
 *
 * Nothing is fsynced: after a crash PostgreSQL asks again, and what it keeps of what it was given it makes durable itself
 * (KeepFileRestoredFromArchive in xlogarchive.c).
 */
export async function placeFile(path: string, target: string, mayMove: boolean): Promise<void> {
  const directory = dirname(target);
  const owner = await stat(directory);
  const own = async (file: string) => {
    if (process.getuid?.() === 0) await giveAway(file, owner);
  };
  if (mayMove) {
    await own(path);
    if (await moved(path, target)) return;
  }
  const temporary = `${target}.${systemRandom.hex(6)}${targetTemporarySuffix}`;
  try {
    await copyFile(path, temporary, constants.COPYFILE_EXCL);
    await own(temporary);
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true });
    throw cannotWrite(target, error);
  }
}

/** Hands a file that we have just made to somebody who may have put another in its place meanwhile: that one is not touched. */
export async function giveAway(path: string, { uid, gid }: { readonly uid: number; readonly gid: number }): Promise<void> {
  await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  const found = await file.stat();
  const isOurs = found.isFile() && found.nlink === 1 && [process.getuid?.(), uid].includes(found.uid);
  if (!isOurs) throw new Error(`${path} is not the file that was made`);
  await file.chown(uid, gid);
}

async function moved(path: string, target: string): Promise<boolean> {
  try {
    await rename(path, target);
    return true;
  } catch (error) {
    if (systemErrorCode(error) === 'EXDEV') return false;
    throw error;
  }
}
