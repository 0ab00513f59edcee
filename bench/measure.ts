import { readFileSync } from 'node:fs';
import { systemClock } from '../src/lib/clock.ts';
import { descendantsOf } from '../test/support/process-tree.ts';

export interface Measurement {
  readonly seconds: number;
  /** The most memory that the processes of the tool held together at any moment; shared pages count once. */
  readonly peakBytes: number;
}

const sampleMs = 25;

/**
 * Runs `work` and watches, meanwhile, what it starts and the running processes `own`. Everything else that runs already, with whatever it
 * starts, does not count: PostgreSQL, and the daemons of other tools.
 */
export async function measure(work: () => Promise<void>, own: readonly number[] = []): Promise<Measurement> {
  const others = descendantsOf(process.pid).filter((pid) => !own.includes(pid));
  let peakBytes = 0;
  const sampler = setInterval(() => {
    peakBytes = Math.max(peakBytes, bytesBelow(others));
  }, sampleMs);
  const startedMs = systemClock.monotonicMs();
  try {
    await work();
  } finally {
    clearInterval(sampler);
  }
  return { seconds: (systemClock.monotonicMs() - startedMs) / 1000, peakBytes };
}

function bytesBelow(others: readonly number[]): number {
  const outside = new Set(others.flatMap((pid) => [pid, ...descendantsOf(pid)]));
  let bytes = 0;
  for (const pid of descendantsOf(process.pid)) if (!outside.has(pid)) bytes += proportionalBytes(pid);
  return bytes;
}

/** `Pss` of /proc/PID/smaps_rollup: a page that n processes share counts 1/n for each. */
function proportionalBytes(pid: number): number {
  try {
    const kibibytes = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1];
    return Number(kibibytes ?? 0) * 1024;
  } catch {
    return 0; // it has just ended
  }
}
