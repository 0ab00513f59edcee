import { lstat, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { systemUser } from '../test/support/system-user.ts';
import { run } from './run.ts';

/** A new directory of the user who PostgreSQL runs as. */
export async function makeOwn(directory: string): Promise<string> {
  const { uid, gid } = systemUser();
  await mkdir(directory);
  await run('chown', [`${uid}:${gid}`, directory]);
  return directory;
}

/** What the files below `directory` hold, without what their file system needs for them. */
export async function bytesBelow(directory: string): Promise<number> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  let bytes = 0;
  for (const entry of entries) if (entry.isFile()) bytes += (await lstat(join(entry.parentPath, entry.name))).size;
  return bytes;
}

export async function countFilesBelow(directory: string): Promise<number> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).length;
}
