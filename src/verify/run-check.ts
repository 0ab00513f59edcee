import type { Job } from '../codec/job.ts';
import { type RetryPolicy, retry } from '../lib/retry.ts';
import type { VerifyDeps } from './verify-deps.ts';

/** An object is fetched again from its start where the store broke off or a worker died, as in a restore. */
const policy: RetryPolicy = { attemptsMax: 6, delayMsFirst: 500, delayMsMax: 10_000 };

/** Runs a job that reads objects on a worker. What it has read is told as it comes; what is read again is told again. */
export function runCheck<Input, Result>(
  job: Job<Input, Result>,
  input: Input,
  { pool, signal, onBytes, clock, site }: Pick<VerifyDeps, 'pool' | 'signal' | 'onBytes' | 'clock' | 'site'>,
): Promise<Result> {
  return retry(() => pool.run(job, input, { signal, party: site, onReport: (bytes) => onBytes(bytes as number) }), policy, {
    signal,
    clock,
  });
}
