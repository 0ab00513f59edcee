import { parseWalName } from '../../postgres/wal-name.ts';
import type { WalEvidence } from '../evidence/verify-evidence.ts';
import { clipped, type StoredRanges } from '../line-runs.ts';
import type { WalRange } from '../wal-ranges.ts';
import type { SegmentRun } from './cause.ts';

/** Segments that `verify` has found damaged. */
export function corruptRuns(evidence: readonly WalEvidence[], segmentBytes: number): readonly SegmentRun[] {
  return evidence
    .filter((each) => each.segment_bytes === segmentBytes)
    .flatMap(({ timeline, runs }) =>
      runs
        .filter(({ result }) => result === 'corrupt')
        .map(({ from, to }) => ({ timeline, first: parseWalName(from, segmentBytes).number, last: parseWalName(to, segmentBytes).number })),
    );
}

/** What is stored, without what is damaged: recovery cannot go past either. */
export function withoutRuns(stored: StoredRanges, runs: readonly SegmentRun[]): StoredRanges {
  if (runs.length === 0) return stored;
  const cut = new Map<number, readonly WalRange[]>();
  for (const { timeline, first, last } of runs) {
    const left = (cut.get(timeline) ?? stored.of(timeline)).flatMap((range) => [
      ...(range.first < first ? [{ ...range, last: range.last < first ? range.last : first - 1n }] : []),
      ...clipped([range], last + 1n),
    ]);
    cut.set(timeline, left);
  }
  return { of: (timeline) => cut.get(timeline) ?? stored.of(timeline) };
}
