import { constants } from 'node:fs';
import { type FileHandle, lstat, open, realpath } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { OperatorError, systemErrorCode } from '../../lib/errors.ts';
import { targetTemporarySuffix } from '../../wal/fetched-wal.ts';

const root = 0;

/** A path to write to, for as long as it is not disposed of. */
export interface ReservedTarget extends AsyncDisposable {
  readonly path: string;
}

/**
 * Where our own client wants its file: where it has made an empty one, from the headers `x-pghoard-target-path` and `x-pghoard-target-reserved`.
 * That proves that client and daemon mean the same directory, although each may live in a container or on a host of its own. The file and its
 * directory must belong to the daemon's own user, or to any one user if that is root, who can give the file away: no other could have made the
 * file, and none gets one that it could not read. So any directory will do, as clusters are restored to other places than the one that the site backs up.
 *
 * Rejects with `target-not-reserved`; the client then asks for the bytes.
 */
export async function openReservedTarget(target: string, user = process.geteuid?.()): Promise<ReservedTarget> {
  const refuse = (why: string, cause?: unknown) =>
    new OperatorError('target-not-reserved', `x-pghoard-target-path ${JSON.stringify(target.slice(0, 300))} ${why}`, { cause });
  if (!isAbsolute(target)) throw refuse('is not absolute');
  if (!target.endsWith(targetTemporarySuffix)) throw refuse(`does not end with ${targetTemporarySuffix}`);
  await using stack = new AsyncDisposableStack();
  try {
    const directory = stack.use(await open(dirname(target), constants.O_RDONLY | constants.O_DIRECTORY));
    const [file, { uid: owner }] = [await lstat(join(within(directory), basename(target))), await directory.stat()];
    if (!file.isFile() || file.size > 0 || file.nlink > 1) throw refuse('is not an empty file');
    if (file.uid !== owner || (owner !== user && user !== root)) {
      throw refuse('does not belong, with its directory, to the user that pghoard runs as');
    }
    // Others must not lead root elsewhere by moving what lies on the way there.
    const place = owner === user ? await realpath(dirname(target)) : within(directory);
    const opened = stack.move();
    return { path: join(place, basename(target)), [Symbol.asyncDispose]: () => opened.disposeAsync() };
  } catch (error) {
    if (systemErrorCode(error) === undefined) throw error;
    throw refuse('is not there for pghoard', error);
  }
}

/** The directory itself, whatever becomes of its names. */
function within(directory: FileHandle): string {
  return `/proc/self/fd/${directory.fd}`;
}
