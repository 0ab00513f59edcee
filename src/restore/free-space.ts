import { lstat, opendir, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { OperatorError } from '../lib/errors.ts';
import { existingAncestor, type TargetDirectory } from './check-directories.ts';

export interface SpaceNeeded {
  /** Bytes of the tars; undefined: not known, nothing is checked. */
  readonly plainBytes: number | undefined;
  readonly fileCount: number | undefined;
}

/** Beside the files themselves: their last blocks, directories, the journal. */
const reserveBytes = 16 * 1024 * 1024;
const reserveShare = 0.02;

interface FreeSpace {
  bytes: number;
  /** `Infinity` where the file system does not count. */
  files: number;
}

/**
 * Throws `disk-full` where the file systems of the directories, taken together, cannot hold the backup. How much of it goes to which
 * tablespace is not recorded in backups. What lies in the directories counts as free: it is going to be removed or is a part of the backup.
 */
export async function checkFreeSpace(directories: readonly TargetDirectory[], needed: SpaceNeeded): Promise<void> {
  if (needed.plainBytes === undefined) return;
  const bytes = Math.ceil(needed.plainBytes * (1 + reserveShare)) + reserveBytes;
  const files = needed.fileCount ?? 0;
  const free = await freeSpaceFor(directories);
  if (free.bytes >= bytes && free.files >= files) return;
  for (const { path, state } of directories) if (state !== 'absent' && state !== 'empty') await addUsed(path, free);
  const places = directories.map(({ path }) => path).join(', ');
  if (free.bytes < bytes) throw full(`${inMib(bytes)} are needed in ${places}, ${inMib(free.bytes)} are free`);
  if (free.files < files) throw full(`${files} files are to be made in ${places}, the file system has room for ${free.files}`);
}

async function freeSpaceFor(directories: readonly TargetDirectory[]): Promise<FreeSpace> {
  const free: FreeSpace = { bytes: 0, files: 0 };
  const counted = new Set<number>();
  for (const { path } of directories) {
    const existing = await existingAncestor(path);
    const { dev } = await stat(existing);
    if (counted.has(dev)) continue;
    counted.add(dev);
    const { bavail, bsize, files, ffree } = await statfs(existing);
    free.bytes += bavail * bsize;
    free.files += files === 0 ? Number.POSITIVE_INFINITY : ffree;
  }
  return free;
}

async function addUsed(path: string, free: FreeSpace): Promise<void> {
  for await (const entry of await opendir(path)) {
    const inside = join(path, entry.name);
    if (entry.isDirectory()) await addUsed(inside, free);
    else free.bytes += (await lstat(inside)).blocks * 512;
    free.files += 1;
  }
}

function full(what: string): OperatorError {
  return new OperatorError('disk-full', `there is not enough room for the base backup: ${what}`, {
    hint: 'Nothing has been changed. Make room, or choose another --target-dir.',
  });
}

function inMib(bytes: number): string {
  return `${(bytes / (1024 * 1024)).toFixed(1)} MiB`;
}
