import { lstat, realpath, stat } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { OperatorError, systemErrorCode } from '../../lib/errors.ts';
import { targetTemporarySuffix } from '../../wal/fetched-wal.ts';

/**
 * Where our own client wants its file: where it has made an empty one, from the headers `x-pghoard-target-path` and `x-pghoard-target-reserved`.
 * That proves that client and daemon mean the same directory, although each may live in a container or on a host of its own. The file and its
 * directory must belong to the daemon's own user: no other could have made the file, and none gets one that it could not read.
 * So any directory will do, as clusters are restored to other places than the one that the site backs up.
 *
 * Returns the real path to write to. Rejects with `target-not-reserved`; the client then asks for the bytes.
 */
export async function checkReservedTarget(target: string, user = process.geteuid?.()): Promise<string> {
  const refuse = (why: string, cause?: unknown) =>
    new OperatorError('target-not-reserved', `x-pghoard-target-path ${JSON.stringify(target.slice(0, 300))} ${why}`, { cause });
  if (!isAbsolute(target)) throw refuse('is not absolute');
  if (!target.endsWith(targetTemporarySuffix)) throw refuse(`does not end with ${targetTemporarySuffix}`);
  try {
    const directory = await realpath(dirname(target));
    const path = join(directory, basename(target));
    const [file, { uid }] = [await lstat(path), await stat(directory)];
    if (!file.isFile() || file.size > 0 || file.nlink > 1) throw refuse('is not an empty file');
    if (file.uid !== user || uid !== user) throw refuse('does not belong, with its directory, to the user that pghoard runs as');
    return path;
  } catch (error) {
    if (systemErrorCode(error) === undefined) throw error;
    throw refuse('is not there for pghoard', error);
  }
}
