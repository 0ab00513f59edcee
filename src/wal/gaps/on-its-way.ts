import { readdir } from 'node:fs/promises';
import { systemErrorCode } from '../../lib/errors.ts';
import type { Trouble } from './trouble.ts';
import { isWanted } from './wanted.ts';

/** Names of the files in these directories; one that is not there has none. */
export async function namesIn(directories: readonly string[]): Promise<string[]> {
  const names = await Promise.all(
    directories.map(async (directory) => {
      try {
        return await readdir(directory);
      } catch (error) {
        if (systemErrorCode(error) === 'ENOENT') return [];
        throw error;
      }
    }),
  );
  return names.flat();
}

/** Whether one of these files belongs to what is missing. */
export function isOnItsWay({ missing }: Trouble, names: Iterable<string>): boolean {
  if (missing === undefined) return false;
  const wanted = typeof missing === 'number' ? { holes: [], histories: [missing] } : { holes: [missing], histories: [] };
  for (const name of names) if (isWanted(name, wanted)) return true;
  return false;
}
