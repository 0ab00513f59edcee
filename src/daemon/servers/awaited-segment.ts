import type { BasebackupEntry } from '../../catalog/basebackup-entry.ts';
import { needsStoredWal } from '../../catalog/basebackup-entry.ts';
import { walNameOf } from '../../postgres/wal-name.ts';
import type { UsableNode } from './troubles.ts';

/** A segment that a base backup needs last, and that is still being written as far as is known: nobody archives it before it is finished. */
export interface AwaitedSegment {
  readonly basebackup: string;
  readonly segment: string;
  /** That finishes it; undefined while none answers. */
  readonly primary: UsableNode | undefined;
}

type Entry = Pick<BasebackupEntry, 'name' | 'endWalSegment' | 'metadata'>;

/**
 * What a base backup from a standby leaves behind on an idle cluster: nothing ends the segment in which it ends. `primary` may have left the segment's timeline,
 * then the same place on its own is meant.
 */
export function awaitedSegment(
  entries: readonly Entry[],
  primary: UsableNode | undefined,
  usable: readonly UsableNode[],
): AwaitedSegment | undefined {
  const current = primary ? currentSegment(primary) : usable.map(currentSegment).toSorted(byPosition).at(-1);
  if (current === undefined) return undefined;
  const isAwaited = (end: string) =>
    primary ? positionOf(end) === positionOf(current) && end <= current : positionOf(end) >= positionOf(current);
  const found = entries.findLast((entry) => needsStoredWal(entry) && entry.endWalSegment !== undefined && isAwaited(entry.endWalSegment));
  return found?.endWalSegment === undefined ? undefined : { basebackup: found.name, segment: found.endWalSegment, primary };
}

/** As it was when the server was asked last. */
function currentSegment({ sample: { lsn, writes, timeline, segmentBytes } }: UsableNode): string {
  return walNameOf(writes?.insertedLsn ?? lsn, timeline, segmentBytes);
}

function byPosition(a: string, b: string): number {
  return positionOf(a) < positionOf(b) ? -1 : 1;
}

function positionOf(segment: string): string {
  return segment.slice(8);
}
