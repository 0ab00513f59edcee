import { constants, openSync } from 'node:fs';
import { OperatorError, systemErrorCode } from '../lib/errors.ts';

/** What a file may have become since the walk saw it; then it counts as dropped. */
const openFailuresOfChange = ['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO'];

/** A descriptor, or why there is none: the file vanished or became something else, which is normal for a running cluster. */
export function openSource(path: string): { readonly fd: number } | { readonly gone: string } {
  try {
    // Not through a link, and not waiting for the other end where a pipe has taken the file's place.
    return { fd: openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK) };
  } catch (error) {
    if (!openFailuresOfChange.includes(systemErrorCode(error) ?? '')) throw sourceUnreadable(path, error);
    return { gone: systemErrorCode(error) === 'ENOENT' ? 'it vanished' : notAFile };
  }
}

export const notAFile = 'it is no longer a file';

export function sourceUnreadable(path: string, cause: unknown): OperatorError {
  return new OperatorError('file-unreadable', `cannot read ${path}`, {
    cause,
    hint: 'pghoard must run as the user that owns the data directory (usually postgres). An input/output error means a failing disk.',
  });
}
