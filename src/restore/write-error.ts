import { messageOf, OperatorError, systemErrorCode } from '../lib/errors.ts';

/** Gives system errors of the file system a name and a remedy; everything else passes unchanged. */
export function writeError(error: unknown, path: string): unknown {
  const code = systemErrorCode(error);
  if (code === undefined) return error;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new OperatorError('disk-full', `there is no room left to write ${path}`, {
      cause: error,
      hint: 'Make room and run the same command again: it goes on where it stopped. Until then nothing there can be started.',
    });
  }
  return new OperatorError('restore-write-failed', `cannot write ${path}: ${messageOf(error)}`, {
    cause: error,
    hint: 'Check the owner, the permissions and the disk, then run the same command again: it goes on where it stopped.',
  });
}

/** As {@link writeError}, around `work`. */
export function writing<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw writeError(error, path);
  }
}

/** As {@link writing}, for promises. */
export async function writingLater<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw writeError(error, path);
  }
}
