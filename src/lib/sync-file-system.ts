import { isOperatorError, OperatorError } from './errors.ts';
import { runProgram } from './subprocess.ts';

/**
 * Makes everything that was written to the file system of `path` durable at once: syncfs(2), through coreutils' `sync -f`. For thousands of files
 * this takes a fraction of the time that fsync takes for each. False where there is no such program; rejects with `file-unwritable` where data was lost.
 */
export async function syncFileSystem(path: string, signal?: AbortSignal): Promise<boolean> {
  try {
    const { code, stderr } = await runProgram('sync', ['-f', path], signal ? { signal } : {});
    if (code === 0) return true;
    // Other implementations of sync know no -f.
    if (/option|usage/i.test(stderr)) return false;
    throw new OperatorError('file-unwritable', `cannot make what was written to ${path} durable: ${stderr}`);
  } catch (error) {
    signal?.throwIfAborted();
    if (isOperatorError(error, 'program-missing')) return false;
    throw error;
  }
}
