import { lstat, mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { systemErrorCode } from '../../lib/errors.ts';

/** Moves a file into the directory, beside what was set aside under its name before; returns its name there. */
export async function setAside(path: string, name: string, directory: string): Promise<string> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  for (let count = 1; ; count++) {
    const free = count === 1 ? name : `${name}~${count}`;
    if (await isThere(join(directory, free))) continue;
    await rename(path, join(directory, free));
    return free;
  }
}

/** The name that a file had before it was set aside. */
export function nameBeforeSetAside(name: string): string {
  return name.replace(/~\d+$/, '');
}

async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return false;
    throw error;
  }
}
