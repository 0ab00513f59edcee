import { constants } from 'node:fs';
import { copyFile, open, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fsyncDirectory } from '../../lib/atomic-file.ts';
import { classifyWalFile } from '../../postgres/wal-name.ts';
import { sortedNames } from '../../storage/local/sorted-names.ts';
import { compareWalPosition } from './wal-position.ts';

const suffix = '.partial';

/**
 * Empties partial segments of an odd size, as a receiver leaves behind that was killed while it made one, or met a full disk: pg_receivewal continues
 * empty ones and whole ones, and gives up at any other. WAL that was in them is kept beside them as `.partial_incomplete`. Resolves to their names.
 */
export async function mendPartials(directory: string, segmentBytes: number): Promise<string[]> {
  const mended: string[] = [];
  for await (const { name } of sortedNames(directory, { wanted: isPartial })) {
    const path = join(directory, name);
    const { size } = await stat(path);
    if (size === 0 || size === segmentBytes) continue;
    if (await hasWal(path)) await copyFile(path, `${path}_incomplete`, constants.COPYFILE_FICLONE);
    await truncate(path, 0);
    mended.push(name);
  }
  return mended;
}

/** Has pg_receivewal begin at this segment: it continues the file that is furthest in the WAL, and an empty one from its beginning. */
export async function plantStart(directory: string, segment: string): Promise<void> {
  await writeFile(join(directory, `${segment}${suffix}`), '', { flag: 'a', mode: 0o600 });
  await fsyncDirectory(directory);
}

export interface LastReceived {
  /** Of a segment, without suffix. */
  readonly name: string;
  readonly isPartial: boolean;
}

/** Where pg_receivewal would go on; `undefined` for a directory without WAL. */
export async function lastReceived(directory: string): Promise<LastReceived | undefined> {
  let last: LastReceived | undefined;
  for await (const { name } of sortedNames(directory, { wanted: isPlace })) {
    const found = { name: name.slice(0, 24), isPartial: isPartial(name) };
    const order = last === undefined ? 1 : compareWalPosition(found.name, last.name);
    if (order > 0 || (order === 0 && last?.isPartial)) last = found;
  }
  return last;
}

/** False for a partial segment that was made and never written to. */
export async function hasWal(path: string): Promise<boolean> {
  return (await firstBytes(path, 24)).some((byte) => byte !== 0);
}

/** The first bytes of a file, for its header. */
export async function firstBytes(path: string, count: number): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(count), 0, count, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

function isPartial(name: string): boolean {
  return classifyWalFile(name) === 'partial';
}

function isPlace(name: string): boolean {
  return isPartial(name) || classifyWalFile(name) === 'segment';
}
