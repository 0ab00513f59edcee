/** Below this a chunk's own cost (two requests, a header, a session key) outweighs what balance brings. */
export const chunkBytesMin = 16 * 1024 * 1024;
/** Where the size of the database cannot be learnt. */
const chunkBytesUnknownTotal = 256 * 1024 * 1024;
/** So many chunks per worker keep all of them busy to the end although chunks take unequal time. */
const chunksPerThread = 4;
/**
 * The members of all chunks in progress, and of the one that is being filled, are in memory: up to a KiB each here, and as much in the worker. So many files of
 * one page are 32 MiB.
 */
export const chunkMembersMax = 4_000;

/** `2026-11-23_01-57_0`: UTC minute, and a number for the second and later ones of that minute. */
export function basebackupName(now: Date, n: number): string {
  const iso = now.toISOString();
  return `${iso.slice(0, 10)}_${iso.slice(11, 13)}-${iso.slice(14, 16)}_${n}`;
}

/** Names that this or the Python program may have given, with and without the time of day. */
export function isBasebackupName(name: string): boolean {
  return /^\d{4}-\d{2}-\d{2}(_\d{2}-\d{2})?_\d+$/.test(name);
}

/** How many plaintext bytes to aim at, so that all workers share the work also where the database is small. */
export function chunkTargetBytes(plan: {
  readonly chunkBytesMax: number;
  readonly bytesTotal?: number | undefined;
  readonly threads: number;
}): number {
  const balanced =
    plan.bytesTotal === undefined
      ? chunkBytesUnknownTotal
      : Math.max(chunkBytesMin, Math.ceil(plan.bytesTotal / (plan.threads * chunksPerThread)));
  return Math.min(plan.chunkBytesMax, balanced);
}

/** How many chunks are made at once: no more than are allowed to exist. */
export function chunkThreads(plan: {
  readonly threads?: number | undefined;
  readonly poolThreads: number;
  readonly chunksInProgress: number;
}): number {
  return Math.max(1, Math.min(plan.threads ?? plan.poolThreads, plan.chunksInProgress));
}
