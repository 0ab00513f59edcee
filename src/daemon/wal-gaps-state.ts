import type { TimelineRange } from '../catalog/line-runs.ts';
import { formatWalName } from '../postgres/wal-name.ts';
import type { KnownTrouble } from '../wal/gaps/trouble-book.ts';
import type { WalGaps } from './wal-gaps.ts';

/** The newest of each kind: a store from which every other segment is gone must not make the state file a large one. */
const shownMax = 100;

/** What the state file tells of the WAL that is stored. */
export function describeWal({ gaps, troubles, view, listed }: Pick<WalGaps, 'gaps' | 'troubles' | 'view' | 'listed'>) {
  const segmentBytes = typeof view === 'string' ? undefined : view.segmentBytes;
  const describe = (ranges: readonly TimelineRange[] = []) =>
    segmentBytes === undefined ? [] : ranges.slice(-shownMax).map((range) => describeRange(range, segmentBytes));
  return {
    because: typeof view === 'string' ? view : null,
    listed: listed ?? null,
    segment_bytes: segmentBytes ?? null,
    timeline: gaps?.timeline ?? null,
    ranges: describe(gaps?.runs),
    apart: describe(gaps?.apart),
    holes_total: troubles.length,
    holes: troubles.slice(-shownMax).map(describeTrouble),
  };
}

function describeRange({ first, last, timeline }: TimelineRange, segmentBytes: number) {
  const nameOf = (number: bigint) => formatWalName({ timeline, number }, segmentBytes);
  return { timeline, from: nameOf(first), to: nameOf(last), segments: Number(last - first + 1n) };
}

function describeTrouble({ trouble, noticed, sought }: KnownTrouble) {
  const { kind, isOpen, words, details } = trouble;
  return { kind, ...details, status: isOpen ? 'open' : 'past', noticed, because: words, mending: sought?.because ?? null };
}
