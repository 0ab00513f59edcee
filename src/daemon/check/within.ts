import { OperatorError } from '../../lib/errors.ts';

/**
 * Gives work so long, whether it heeds its signal or not: a server that hangs must not hang the check. Rejects with `check-timeout`, or with the reason
 * of `signal`.
 */
export async function within<T>(ms: number, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  signal.throwIfAborted();
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(tookTooLong(ms)), ms);
  const both = AbortSignal.any([signal, deadline.signal]);
  const { promise: ended, reject } = Promise.withResolvers<never>();
  const leave = () => reject(both.reason as Error);
  both.addEventListener('abort', leave, { once: true });
  try {
    const running = work(both);
    running.catch(() => {});
    return await Promise.race([running, ended]);
  } catch (error) {
    both.throwIfAborted();
    throw error;
  } finally {
    clearTimeout(timer);
    both.removeEventListener('abort', leave);
  }
}

function tookTooLong(ms: number): OperatorError {
  return new OperatorError('check-timeout', `there was no answer within ${ms / 1000} s`, {
    hint: 'Is something between here and there that drops packets, or is the other side overloaded? A hanging mount (NFS) looks like this too.',
  });
}
