import { closeSync, fsyncSync, openSync } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemRandom } from './random.ts';

/** Makes names created in, moved into or removed from `path` survive a power cut. */
export async function fsyncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** As {@link fsyncDirectory}, for worker threads. */
export function fsyncDirectorySync(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Moves a file whose bytes are already durable to its final name, durably. Replaces what is there. */
export async function publishFile(from: string, to: string): Promise<void> {
  await rename(from, to);
  await fsyncDirectory(dirname(to));
}

/** Writes a file whole or not at all, durably: temporary name in the same directory, fsync, rename, fsync of the directory. */
export async function writeFileAtomic(path: string, data: string | Uint8Array, options: { mode?: number } = {}): Promise<void> {
  await writeFileAtomicWith(path, options, (file) => file.writeFile(data));
}

/** As {@link writeFileAtomic}, for content that `write` produces piece by piece. */
export async function writeFileAtomicWith(
  path: string,
  options: { mode?: number },
  write: (file: FileHandle) => Promise<void>,
): Promise<void> {
  const temporary = `${path}.${systemRandom.hex(6)}.tmp`;
  try {
    const file = await open(temporary, 'wx', options.mode ?? 0o600);
    try {
      await write(file);
      await file.sync();
    } finally {
      await file.close();
    }
    await publishFile(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
