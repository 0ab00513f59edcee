import { type Clock, systemClock } from './clock.ts';
import { isOperatorError } from './errors.ts';
import { type Random, systemRandom } from './random.ts';

export interface RetryPolicy {
  /** Attempts in all, the first included; `Infinity` never gives up. */
  readonly attemptsMax: number;
  readonly delayMsFirst: number;
  readonly delayMsMax: number;
}

export interface RetryDeps {
  readonly signal?: AbortSignal | undefined;
  readonly clock?: Clock;
  readonly random?: Random;
  /** Defaults to: an OperatorError that says so itself. */
  readonly isRetryable?: (error: unknown) => boolean;
  readonly onRetry?: (error: unknown, attempt: number, delayMs: number) => void;
}

/** Exponential backoff with half of each delay left to chance, so that many clients do not return at once. `attempt` counts from 1. */
export function backoffMs(attempt: number, policy: RetryPolicy, random: Random): number {
  const ceiling = Math.min(policy.delayMsFirst * 2 ** (attempt - 1), policy.delayMsMax);
  return ceiling / 2 + (ceiling / 2) * random.next();
}

/** Somebody who asks for more than this is asked again all the same. */
const retryAfterMsMax = 120_000;

/** How long to wait after the failure of attempt number `attempt`: as {@link backoffMs}, but no less than whoever refused asked for. */
export function delayAfterMs(error: unknown, attempt: number, policy: RetryPolicy, random: Random): number {
  const asked = isOperatorError(error) ? (error.retryAfterMs ?? 0) : 0;
  return Math.max(backoffMs(attempt, policy, random), Math.min(asked, retryAfterMsMax));
}

/** Repeats `work` while its failures are retryable and attempts are left; rejects with the last failure. */
export async function retry<T>(work: (attempt: number) => Promise<T>, policy: RetryPolicy, deps: RetryDeps = {}): Promise<T> {
  const { signal, clock = systemClock, random = systemRandom } = deps;
  const isRetryable = deps.isRetryable ?? ((error) => isOperatorError(error) && error.retryable);
  for (let attempt = 1; ; attempt++) {
    signal?.throwIfAborted();
    try {
      return await work(attempt);
    } catch (error) {
      signal?.throwIfAborted();
      if (attempt >= policy.attemptsMax || !isRetryable(error)) throw error;
      const delayMs = delayAfterMs(error, attempt, policy, random);
      deps.onRetry?.(error, attempt, delayMs);
      await clock.sleep(delayMs, signal);
    }
  }
}
