import type { TimelineLine } from '../postgres/timeline-line.ts';
import type { WalRange, WalRanges } from './wal-ranges.ts';

export interface TimelineRange extends WalRange {
  readonly timeline: number;
}

/** What there is of each timeline, ascending. */
export type StoredRanges = Pick<WalRanges, 'of'>;

/** What is stored of a line, oldest first. Where a timeline was left a range ends, though the next one may go on from there. */
export function runsOn(line: TimelineLine, ranges: StoredRanges): TimelineRange[] {
  return [...line.finished()].flatMap(({ timeline, first, end }) =>
    clipped(below(ranges.of(timeline), end), first).map((part) => ({ ...part, timeline })),
  );
}

/** What is stored beside a line: of other timelines, and of its own beyond the point where they were left. */
export function unusedBy(line: TimelineLine, ranges: WalRanges): TimelineRange[] {
  const used = new Map([...line.finished()].map((stretch) => [stretch.timeline, stretch]));
  return ranges.timelines.flatMap((timeline) => {
    const all = ranges.of(timeline);
    const stretch = used.get(timeline);
    const parts = stretch === undefined ? all : [...below(all, stretch.first), ...clipped(all, stretch.end)];
    return parts.map((part) => ({ ...part, timeline }));
  });
}

/** Only what lies at this segment or behind it. */
export function clipped<Range extends WalRange>(ranges: readonly Range[], first: bigint): Range[] {
  return ranges.filter(({ last }) => last >= first).map((range) => (range.first >= first ? range : { ...range, first }));
}

function below(ranges: readonly WalRange[], end: bigint): WalRange[] {
  return ranges.filter((range) => range.first < end).map((range) => (range.last < end ? range : { ...range, last: end - 1n }));
}
