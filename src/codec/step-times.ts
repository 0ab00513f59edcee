import { systemClock } from '../lib/clock.ts';

/** What a job spends its time with, as far as it is native code; the rest is JavaScript: tar headers, checks, the way between the steps. */
export type Step = 'read' | 'compress' | 'encrypt' | 'hash' | 'write' | 'fsync' | 'decompress' | 'decrypt';

/** Seconds of processor time of the thread; `rest`: what was no step. */
export type StepTimes = Readonly<Partial<Record<Step | 'rest', number>>>;

/** Of the job that runs on this thread, which is never more than one; undefined: not measured. */
let measured: { readonly startSeconds: number; readonly steps: Partial<Record<Step, number>> } | undefined;

/** Does a step, synchronously. Steps do not contain each other. */
export function timed<T>(step: Step, act: () => T): T {
  if (!measured) return act();
  const { steps } = measured;
  const startSeconds = threadSeconds();
  try {
    return act();
  } finally {
    steps[step] = (steps[step] ?? 0) + threadSeconds() - startSeconds;
  }
}

export function beginStepTimes(): void {
  measured = { startSeconds: threadSeconds(), steps: {} };
}

/** Undefined unless they were begun. */
export function endStepTimes(): StepTimes | undefined {
  if (!measured) return undefined;
  const { startSeconds, steps } = measured;
  measured = undefined;
  const known = Object.values(steps).reduce((sum, seconds) => sum + seconds, 0);
  return { ...steps, rest: threadSeconds() - startSeconds - known };
}

/**
 * Linux counts it at each tick, every few milliseconds, so that a short step seems to take nothing or too much; the sums over many of them are right.
 * Where Node cannot tell the time of a thread (before 23.9), what a clock on the wall says, which includes waiting.
 */
function threadSeconds(): number {
  if (typeof process.threadCpuUsage !== 'function') return systemClock.monotonicMs() / 1000;
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1e6;
}
