import { OperatorError } from '../../lib/errors.ts';

/** Runs `work` with a signal that also ends after `ms`; then rejects with `timeout`. What `work` has begun elsewhere may go on. */
export async function within<T>(ms: number, signal: AbortSignal, what: string, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const timeout = AbortSignal.timeout(ms);
  try {
    return await work(AbortSignal.any([signal, timeout]));
  } catch (error) {
    if (!timeout.aborted || signal.aborted) throw error;
    throw new OperatorError('timeout', `TIMEOUT: ${what} has not ended within ${ms / 1000} s`, {
      hint: 'It goes on in the background; the same request joins it.',
      retryable: true,
    });
  }
}
