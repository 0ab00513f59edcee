import { statfs } from 'node:fs/promises';
import type { WalReceiverOptions } from '../options.ts';

export type GuardStep = 'pause' | 'resume' | 'stay';

/** Between the two limits things stay as they are, so that receiving does not begin and end all the time. */
export function guardStep(isPaused: boolean, freeBytes: number, options: WalReceiverOptions): GuardStep {
  const { min_disk_free_bytes: min, resume_multiplier: multiplier } = options;
  if (min === null || min === 0) return isPaused ? 'resume' : 'stay';
  if (isPaused) return freeBytes >= min * multiplier ? 'resume' : 'stay';
  return freeBytes < min ? 'pause' : 'stay';
}

/** What we may write; the blocks that only root may use do not count. */
export async function freeBytesOf(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory);
  return bavail * bsize;
}
