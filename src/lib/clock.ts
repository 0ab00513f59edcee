import { setTimeout as delay } from 'node:timers/promises';

/** Where time comes from, so that tests can bend it. */
export interface Clock {
  now(): Date;
  /** Milliseconds that only ever grow, for measuring durations. */
  monotonicMs(): number;
  /** Rejects with the signal's reason when aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => new Date(),
  monotonicMs: () => performance.now(),
  async sleep(ms, signal) {
    try {
      await delay(ms, undefined, signal ? { signal } : {});
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    }
  },
};

/** Microseconds of the machine's monotonic clock (`CLOCK_MONOTONIC`), which all processes share. */
export function bootUsec(): bigint {
  return process.hrtime.bigint() / 1000n;
}
