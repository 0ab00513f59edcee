import type { Dirent } from 'node:fs';
import { link, lstat, opendir, rename, stat, unlink } from 'node:fs/promises';
import { fsyncDirectory } from '../../lib/atomic-file.ts';
import { systemErrorCode } from '../../lib/errors.ts';
import { type ChangeableTree, ifThere, type ListableTree } from '../files/file-tree.ts';
import { readSidecar } from './read-sidecar.ts';

/** The file systems of this host. */
export const localTree: ListableTree & ChangeableTree = {
  entries,
  stat,
  directoryIdentity: async (path) => {
    const { dev, ino } = await stat(path);
    return `${dev}:${ino}`;
  },
  isAbsent,
  readSidecar,
  fileIdentity: async (path) => {
    const found = await ifThere(localTree, lstat(path));
    return found && `${found.ino}`;
  },
  rename,
  setAside: async (path, aside) =>
    (await ifThere(
      localTree,
      rename(path, aside).then(() => true),
    )) ?? false,
  claim: async (from, to) => {
    try {
      await link(from, to);
      return true;
    } catch (error) {
      if (systemErrorCode(error) === 'EEXIST') return false;
      throw error;
    }
  },
  remove,
  lockOf: (path) => path,
  syncDirectory: fsyncDirectory,
};

async function* entries(directory: string): AsyncGenerator<Dirent> {
  yield* await opendir(directory, { bufferSize: 256 });
}

async function remove(path: string): Promise<boolean> {
  try {
    await unlink(path);
    return true;
  } catch (error) {
    if (isAbsent(error) || systemErrorCode(error) === 'EISDIR') return false;
    throw error;
  }
}

/** ENXIO: a socket. */
export function isAbsent(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO'].includes(systemErrorCode(error) ?? '');
}
