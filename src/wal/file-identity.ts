import { lstat } from 'node:fs/promises';
import { systemErrorCode } from '../lib/errors.ts';

/**
 * Which file lies at `path`, and in which state: as long as this stays the same, nobody has written to it or put another in its place.
 * `undefined` where there is no regular file, or none that may be looked at.
 */
export async function fileIdentity(path: string): Promise<string | undefined> {
  try {
    const found = await lstat(path, { bigint: true });
    if (!found.isFile()) return undefined;
    const { dev, ino, size, mtimeNs, ctimeNs } = found;
    return [dev, ino, size, mtimeNs, ctimeNs].join(':');
  } catch (error) {
    if (systemErrorCode(error) === undefined) throw error;
    return undefined;
  }
}
