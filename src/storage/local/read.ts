import { constants } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { type Clock, systemClock } from '../../lib/clock.ts';
import { sidecarOf } from '../files/names.ts';
import { digestIn, metadataFrom } from '../files/sidecar.ts';
import { readRange } from '../object-source.ts';
import type { ByteRange, Metadata } from '../object-store.ts';
import { bodyCutShort, objectChanged } from '../store-errors.ts';
import { asStoreError } from './errors.ts';
import { isAbsent } from './local-tree.ts';
import { readSidecar } from './read-sidecar.ts';

/** How often data and metadata are looked at until they belong together, and how long between. */
const looksMax = 25;
const lookDelayMs = 20;

export interface FoundObject {
  readonly inode: number;
  readonly size: number;
  readonly lastModified: Date;
  readonly metadata: Metadata;
  /** SHA-256 of the stored bytes, as their writer had it. */
  readonly digest: string | undefined;
}

/**
 * Data and metadata that belong together, or `undefined` where there is no object.
 *
 * While an object is replaced (see files/publish.ts) it has no metadata for a moment, and that must not be taken for a missing object.
 * New data never stands beside old metadata, so: open the data, read the metadata, and believe both if the path still leads to the file opened.
 */
export async function findObject(path: string, clock: Clock = systemClock, readMetadata = readSidecar): Promise<FoundObject | undefined> {
  for (let look = 1; ; look++) {
    await using file = await openData(path);
    if (!file) return undefined;
    const { ino, size, mtime } = await file.stat();
    const sidecar = await readMetadata(sidecarOf(path));
    const isCurrent = (await inodeOf(path)) === ino;
    if (sidecar !== undefined && isCurrent) {
      const metadata = metadataFrom(sidecarOf(path), sidecar);
      return { inode: ino, size, lastModified: mtime, metadata, digest: digestIn(sidecar) };
    }
    if (sidecar === undefined && look >= looksMax) return undefined;
    await clock.sleep(lookDelayMs);
  }
}

/** The object's bytes, from the very file that was found before. The file is only open while somebody reads. */
export async function* readObject(
  path: string,
  found: FoundObject,
  range: ByteRange,
  names: { readonly key: string; readonly store: string },
): AsyncGenerator<Uint8Array> {
  const expected = range.end - range.start;
  let done = 0;
  try {
    await using file = await openData(path);
    const now = await file?.stat();
    if (!file || now?.ino !== found.inode || now.size < range.end) throw objectChanged(names.key, names.store);
    for await (const piece of readRange(file, range)) {
      done += piece.length;
      yield piece;
    }
  } catch (error) {
    throw asStoreError(`read ${names.key} from ${names.store}`, error);
  }
  if (done < expected) throw bodyCutShort(names.key, names.store, expected, done);
}

/** Opens a regular file; anything else under that name, a directory or a pipe, is no object. */
async function openData(path: string): Promise<FileHandle | undefined> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    if ((await file.stat()).isFile()) return file;
    await file.close();
    return undefined;
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

async function inodeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).ino;
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}
