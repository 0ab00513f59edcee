import { setTimeout as delay } from 'node:timers/promises';

export interface WaitOptions {
  readonly withinMs: number;
  /** Otherwise in steps that grow with the time waited: soon for what is there soon, and without a load of its own on what takes long. */
  readonly everyMs?: number;
  /** What is waited for, for the message where it does not come true; a function can tell how things are by then. */
  readonly what: string | (() => string);
}

/** Asks `fact` until its answer is neither false, null nor undefined, and returns that answer. What `fact` throws counts as "not yet", and is the cause if it stays so. */
export async function waitFor<T>(
  fact: () => T | false | null | undefined | Promise<T | false | null | undefined>,
  { withinMs, everyMs, what }: WaitOptions,
): Promise<T> {
  const begun = performance.now();
  const deadline = begun + withinMs;
  let cause: unknown;
  for (;;) {
    try {
      const answer = await fact();
      if (answer !== false && answer !== null && answer !== undefined) return answer;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    if (performance.now() >= deadline)
      throw new Error(`waited ${withinMs} ms in vain: ${typeof what === 'string' ? what : what()}`, { cause });
    await delay(everyMs ?? stepMs(performance.now() - begun));
  }
}

function stepMs(waitedMs: number): number {
  return Math.min(5 + waitedMs / 20, 100);
}
