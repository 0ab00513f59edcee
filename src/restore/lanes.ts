import type { BasebackupEntry } from '../catalog/basebackup-entry.ts';

/**
 * What a worker thread has to do at least to be worth its start: that takes 0.15 s of processor time, in which another one unpacks as much as this.
 */
const storedBytesPerLane = 32 * 1024 * 1024;
/** For objects that are small: each costs a request, and to wait for it. */
const objectsPerLane = 8;

/** Whether a base backup is restored on threads at all: not one that is smaller than what makes up for the start of a single one. Of a delta backup most is in other objects. */
export function isWorthThreads({ storedSize, format }: Pick<BasebackupEntry, 'storedSize' | 'format'>): boolean {
  return storedSize >= storedBytesPerLane || (format ?? '').startsWith('pghoard-delta');
}

export interface Work {
  /** Of everything that is to be fetched. */
  readonly storedBytes: number;
  readonly objects: number;
  /** The store is a directory of this machine: nobody waits for a network. */
  readonly isLocal: boolean;
  readonly processors: number;
}

/** How many objects are fetched and unpacked at once, of `lanesMax` that are allowed. */
export function lanesFor({ storedBytes, objects, isLocal, processors }: Work, lanesMax: number): number {
  const worthIt = Math.max(Math.ceil(storedBytes / storedBytesPerLane), isLocal ? 1 : Math.ceil(objects / objectsPerLane));
  return Math.max(1, Math.min(worthIt, lanesMax, isLocal ? processors : lanesMax));
}
