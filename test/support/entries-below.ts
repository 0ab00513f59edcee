import type { Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';

/** Everything below a directory in which others work: a subdirectory that goes away during the look makes it look again. */
export async function entriesBelow(directory: string): Promise<Dirent[]> {
  for (;;) {
    try {
      return await readdir(directory, { withFileTypes: true, recursive: true });
    } catch (error) {
      const { code, path } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT' || path === directory) throw error;
    }
  }
}
