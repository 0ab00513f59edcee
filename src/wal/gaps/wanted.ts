import { classifyWalFile } from '../../postgres/wal-name.ts';
import type { Hole } from './gaps.ts';

/** What is missing in the store. */
export interface WantedWal {
  readonly holes: readonly Hole[];
  /** Timelines whose histories are missing. */
  readonly histories: readonly number[];
}

/** Whether a file of this name would fill a hole. */
export function isWanted(name: string, { holes, histories }: WantedWal): boolean {
  if (classifyWalFile(name) === 'history') return histories.includes(Number.parseInt(name.slice(0, 8), 16));
  return holes.some((hole) => isWithin(name, hole));
}

/** Whether the segment is missing in this hole under just this name. */
export function isWithin(name: string, { line, first, last }: Pick<Hole, 'line' | 'first' | 'last'>): boolean {
  const segment = line.parse(name);
  return segment !== undefined && first <= segment.number && segment.number <= last && line.includes(name);
}
