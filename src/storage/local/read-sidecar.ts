import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { systemErrorCode } from '../../lib/errors.ts';
import { sidecarBytesMax, sidecarUnreadable } from '../files/sidecar.ts';

/** The sidecar's text, `undefined` where there is none. O_NONBLOCK: a named pipe in its place must not hold us for ever. */
export async function readSidecar(path: string): Promise<string | undefined> {
  try {
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const found = await file.stat();
    if (!found.isFile() || found.size > sidecarBytesMax)
      throw sidecarUnreadable(path, new Error('it is not a file of text, or far too long'));
    return await file.readFile('utf8');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemErrorCode(error) ?? '')) return undefined;
    throw error;
  }
}
