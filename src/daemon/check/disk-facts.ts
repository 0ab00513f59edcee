import { readdir, stat, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { classifyWalFile } from '../../postgres/wal-name.ts';

/** The file system of a directory, or of the nearest one above it that exists. */
export interface DiskFacts {
  readonly path: string;
  readonly device: number;
  readonly freeBytes: number;
  readonly totalBytes: number;
  /** Undefined where the file system does not count. */
  readonly freeFiles: number | undefined;
}

/** What waits for its upload. */
export interface Backlog {
  readonly files: number;
  readonly bytes: number;
  readonly oldest: Date | undefined;
}

export async function lookAtDisk(path: string): Promise<DiskFacts> {
  const existing = await nearestExisting(path);
  const [{ dev }, { bavail, bsize, blocks, files, ffree }] = await Promise.all([stat(existing), statfs(existing)]);
  return { path, device: dev, freeBytes: bavail * bsize, totalBytes: blocks * bsize, freeFiles: files === 0 ? undefined : ffree };
}

/** In the directories of a spool where sealed WAL waits. */
export async function lookAtBacklog(directories: readonly string[]): Promise<Backlog> {
  let [files, bytes] = [0, 0];
  let oldest: Date | undefined;
  for (const directory of directories) {
    const names = await readdir(directory).catch((): string[] => []);
    for (const name of names.filter((each) => classifyWalFile(each) !== undefined)) {
      const found = await stat(join(directory, name)).catch(() => undefined);
      if (found === undefined) continue;
      files++;
      bytes += found.size;
      if (oldest === undefined || found.mtime < oldest) oldest = found.mtime;
    }
  }
  return { files, bytes, oldest };
}

async function nearestExisting(path: string): Promise<string> {
  const isThere = await stat(path).then(
    () => true,
    () => false,
  );
  return isThere || dirname(path) === path ? path : nearestExisting(dirname(path));
}
