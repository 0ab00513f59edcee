import type { Lsn } from '../../postgres/lsn.ts';
import type { StoredRanges } from '../line-runs.ts';
import type { NeedyBackup } from '../needy-backups.ts';
import type { WalRange } from '../wal-ranges.ts';
import type { Cause, SegmentRun } from './cause.ts';
import { lesser, type Reach } from './reaches.ts';
import type { KnownTimeline } from './timelines.ts';

/** A complete base backup that cannot be restored. */
export interface LostBackup {
  readonly backup: NeedyBackup;
  readonly cause: Cause;
}

export interface HoleFacts {
  readonly segmentBytes: number;
  /** What recovery can read. */
  readonly usable: StoredRanges;
  readonly corrupt: readonly SegmentRun[];
  readonly lost: readonly LostBackup[];
}

export interface HoleToExplain {
  readonly at: KnownTimeline;
  readonly from: Lsn;
  readonly to: Lsn;
  /** What can be restored right before it. */
  readonly before: Reach | undefined;
  /** Whether it begins where the timeline left its parent. */
  readonly isEntered: boolean;
  /** Why its parent cannot be restored there, if it cannot. */
  readonly ofParent: Cause | undefined;
}

/** Why moments cannot be restored: what recovery would meet first. */
export function causeOf(hole: HoleToExplain, facts: HoleFacts): Cause {
  const { at, before, isEntered, ofParent } = hole;
  const wal = missingIn(hole, facts);
  if (before !== undefined) {
    const last = before.backups.at(-1);
    if (last !== undefined && before.backups.every(({ isAlone }) => isAlone === true))
      return { kind: 'wal-not-kept', basebackup: last.name };
    return wal ?? historyCause(at) ?? { kind: 'basebackup-missing', timeline: at.timeline };
  }
  const lost = facts.lost.find(({ backup }) => isIn(hole, backup, facts));
  if (lost !== undefined && !isEntered) return lost.cause;
  // Of the segment in which the parent was left it is the new name that recovery asks for first.
  const isSame = wal?.wal !== undefined && wal.wal.first === ofParent?.wal?.first;
  return historyCause(at) ?? (isSame ? wal : (ofParent ?? wal)) ?? lost?.cause ?? { kind: 'basebackup-missing', timeline: at.timeline };
}

function isIn({ at, from, to }: HoleToExplain, { start, end = start }: NeedyBackup, { segmentBytes }: HoleFacts): boolean {
  const begin = start.number * BigInt(segmentBytes);
  return end.timeline === at.timeline && begin < to && (end.number + 1n) * BigInt(segmentBytes) > from;
}

function historyCause({ timeline, history, parent }: KnownTimeline): Cause | undefined {
  if (timeline === 1 || (history === 'sound' && parent !== undefined)) return undefined;
  return { kind: history === 'sound' ? 'history-missing' : `history-${history}`, timeline };
}

/** The first run that is missing where the hole begins; undefined where that is stored. */
function missingIn({ at: { timeline }, from, to }: HoleToExplain, { segmentBytes, usable, corrupt }: HoleFacts): Cause | undefined {
  const size = BigInt(segmentBytes);
  const [first, behind] = [from / size, (to + size - 1n) / size];
  const gaps = gapsIn(usable.of(timeline), first, behind);
  const [gap] = gaps;
  if (gap === undefined || gap.first !== first) return undefined;
  const damaged = corrupt.find((run) => run.timeline === timeline && run.first <= first && first <= run.last);
  const last = damaged === undefined ? gap.last : lesser(damaged.last, gap.last);
  // Where a damaged segment lies in the middle of missing ones it is told of once these are back.
  return { kind: damaged === undefined ? 'wal-missing' : 'wal-corrupt', wal: { timeline, first, last }, more: gaps.length - 1 };
}

function gapsIn(ranges: readonly WalRange[], first: bigint, behind: bigint): readonly { readonly first: bigint; readonly last: bigint }[] {
  const gaps: { first: bigint; last: bigint }[] = [];
  let next = first;
  for (const range of ranges) {
    if (range.last < next) continue;
    if (range.first >= behind) break;
    if (range.first > next) gaps.push({ first: next, last: range.first - 1n });
    next = range.last + 1n;
  }
  if (next < behind) gaps.push({ first: next, last: behind - 1n });
  return gaps;
}
