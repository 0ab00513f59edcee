import { closeSync, constants, fsyncSync, lchownSync, lstatSync, opendirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { defineJob, type JobContext } from '../codec/job.ts';
import { fsyncDirectorySync } from '../lib/atomic-file.ts';
import { lostAndFound } from './check-directories.ts';
import { restoreJournal } from './layout.ts';
import { writing } from './write-error.ts';

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

export interface SettleInput {
  readonly root: string;
  /** For `root`, and for what belongs to root in it; undefined: owners stay. */
  readonly owner: Owner | undefined;
  /** Make each file and directory durable; otherwise somebody else will. */
  readonly sync: boolean;
}

/** The journal stays with who wrote it, and is gone in the end. */
const leftOut = new Set([lostAndFound, restoreJournal]);

/** Gives what has no owner of its own below `root` to `owner`, and makes everything durable. Follows no links. */
export const settleTree = defineJob(import.meta.url, 'settleTree', async (input: SettleInput, context): Promise<void> => {
  const { root, owner } = input;
  if (owner) writing(root, () => lchownSync(root, owner.uid, owner.gid));
  await settleDirectory(root, input, context, leftOut);
});

async function settleDirectory(path: string, input: SettleInput, context: JobContext, without: ReadonlySet<string>): Promise<void> {
  const { owner, sync } = input;
  await nextTurn();
  context.signal.throwIfAborted();
  const directory = writing(path, () => opendirSync(path));
  try {
    for (let entry = directory.readSync(); entry !== null; entry = directory.readSync()) {
      if (without.has(entry.name)) continue;
      const inside = join(path, entry.name);
      if (owner) writing(inside, () => giveTo(owner, inside));
      if (entry.isDirectory()) await settleDirectory(inside, input, context, new Set());
      else if (sync && entry.isFile()) writing(inside, () => fsyncFile(inside));
    }
  } finally {
    directory.closeSync();
  }
  if (sync) writing(path, () => fsyncDirectorySync(path));
}

function giveTo(owner: Owner, path: string): void {
  if (lstatSync(path).uid === 0) lchownSync(path, owner.uid, owner.gid);
}

function fsyncFile(path: string): void {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
