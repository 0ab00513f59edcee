import type { Cause } from './cause.ts';
import { causeOf, type HoleFacts } from './hole-cause.ts';
import type { TimeEvidence } from './line-windows.ts';
import { type Edge, greater, lesser, type Reach } from './reaches.ts';
import type { RecoverablePoint, Span } from './recoverability.ts';
import type { Domain } from './timeline-domains.ts';
import type { KnownTimeline } from './timelines.ts';
import type { WalBackup } from './wal-backup.ts';
import { causeInWords } from './words.ts';

export interface TimelineFacts extends HoleFacts, TimeEvidence {
  readonly at: KnownTimeline;
  readonly domain: Domain;
  readonly covered: readonly Reach[];
  readonly proven: readonly Reach[];
  /** Which may be restorable, or not. */
  readonly doubtful: readonly Reach[];
  /** Timelines that lead to this one, itself included. */
  readonly line: ReadonlySet<number>;
  readonly ofParent: Cause | undefined;
}

/** All that is known of a timeline's own part, in the order of its WAL. */
export function spansOf(facts: TimelineFacts): readonly Span[] {
  const known = [
    ...facts.covered.flatMap((reach) => withProven(reach, facts)),
    ...facts.doubtful.flatMap((reach) => withoutReaches(reach, facts.covered)).map((reach) => doubtAsSpan(reach, facts)),
  ].toSorted((a, b) => (a.from.lsn < b.from.lsn ? -1 : Number(a.from.lsn > b.from.lsn)));
  const spans: Span[] = [];
  let next: Edge = { lsn: facts.domain.from, isExact: true, time: beginTime(facts) };
  for (const { from, to, span } of known) {
    if (from.lsn > next.lsn) spans.push(holeBetween(next, from, facts));
    spans.push(span);
    if (to.lsn >= next.lsn) next = to;
  }
  if (facts.domain.to > next.lsn) spans.push(holeBetween(next, endEdge(facts), facts));
  return spans;
}

interface PlacedSpan {
  readonly from: Edge;
  readonly to: Edge;
  readonly span: Span;
}

/** What drills have replayed of a reach is told apart from the rest of it. */
function withProven(reach: Reach, facts: TimelineFacts): PlacedSpan[] {
  const placed: PlacedSpan[] = [];
  let next = reach.from;
  for (const proven of facts.proven) {
    const [first, last] = [greater(proven.from.lsn, next.lsn), lesser(proven.to.lsn, reach.to.lsn)];
    if (first > last || proven.from.lsn > reach.to.lsn) continue;
    const from = first === next.lsn ? next : proven.from;
    const to = last === proven.to.lsn ? proven.to : reach.to;
    if (from.lsn > next.lsn) placed.push(reachAsSpan('covered', { ...reach, from: next, to: { ...from } }, facts));
    placed.push(reachAsSpan('proven', { ...reach, from, to: last === reach.to.lsn ? latestOf(to, reach.to) : to }, facts));
    next = placed.at(-1)?.to ?? next;
  }
  if (placed.length === 0 || next.lsn < reach.to.lsn) placed.push(reachAsSpan('covered', { ...reach, from: next }, facts));
  return placed;
}

function latestOf(a: Edge, b: Edge): Edge {
  return a.time !== undefined && (b.time === undefined || a.time > b.time) ? a : { ...a, time: b.time };
}

function reachAsSpan(state: 'proven' | 'covered', { from, to, lastCommit, backups }: Reach, facts: TimelineFacts): PlacedSpan {
  const names = backupsIn(from, to, backups, facts);
  const last = names[0] ?? '';
  const because =
    state === 'proven'
      ? `a drill has restored base backup ${last} and replayed this WAL`
      : from.lsn === to.lsn
        ? `base backup ${last} is complete, and all WAL that it needs is stored`
        : `base backup ${last} is complete, and all WAL behind it is stored`;
  // Ends of base backups are told by another clock.
  const end = from.time !== undefined && to.time !== undefined && to.time < from.time ? { ...to, time: undefined } : to;
  return { from, to: end, span: { state, from: point(from), to: point(end), lastCommit, basebackups: names, because } };
}

function doubtAsSpan({ from, to, backups }: Reach, { segmentBytes }: TimelineFacts): PlacedSpan {
  const name = backups[0]?.name ?? '';
  const cause: Cause = { kind: 'unproven', basebackup: name };
  const because = causeInWords(cause, segmentBytes);
  const span = { state: 'unknown', from: point(from), to: point(to), lastCommit: undefined, basebackups: [], cause, because } as const;
  return { from, to, span };
}

function holeBetween(from: Edge, to: Edge, facts: TimelineFacts): Span {
  const { at, covered, ofParent, segmentBytes, domain } = facts;
  const before = covered.findLast((reach) => reach.to.lsn === from.lsn);
  const isEntered = before === undefined && from.lsn === domain.from && at.parent?.switchLsn === from.lsn;
  const cause = causeOf({ at, from: from.lsn, to: to.lsn, before, isEntered, ofParent }, facts);
  const state = cause.kind === 'history-unreadable' ? 'unknown' : 'hole';
  const because = causeInWords(cause, segmentBytes);
  return { state, from: point(from), to: point(to), lastCommit: undefined, basebackups: [], cause, because };
}

/** The newest one from which the beginning is reached, then those that end in it. */
function backupsIn(from: Edge, to: Edge, backups: readonly WalBackup[], { at, line, segmentBytes }: TimelineFacts): readonly string[] {
  const placed = backups
    .filter(({ start, end = start }) => line.has(end.timeline))
    .map((backup) => ({
      name: backup.name,
      lsn: endOf(backup, segmentBytes),
      isHere: (backup.end ?? backup.start).timeline === at.timeline,
    }))
    .toSorted((a, b) => (a.lsn < b.lsn ? -1 : Number(a.lsn > b.lsn)));
  const leading = placed.findLast(({ lsn, isHere }) => !isHere || lsn <= from.lsn);
  const inside = placed.filter((each) => each.isHere && each.lsn > from.lsn && each.lsn <= to.lsn);
  // Where the last segment of one lies on both sides of a switch it counts as before it.
  const first = leading ?? placed.find(({ isHere }) => isHere);
  return [...(first === undefined ? [] : [first]), ...inside]
    .map(({ name }) => name)
    .filter((name, index, all) => all.indexOf(name) === index);
}

function endOf({ start, end = start }: WalBackup, segmentBytes: number): bigint {
  return (end.number + 1n) * BigInt(segmentBytes);
}

/** The parts of it that cannot be restored for certain. */
function withoutReaches(reach: Reach, others: readonly Reach[]): Reach[] {
  return others.reduce<Reach[]>(
    (left, other) =>
      left.flatMap((each) => {
        if (other.to.lsn <= each.from.lsn || other.from.lsn >= each.to.lsn) return [each];
        return [
          ...(other.from.lsn > each.from.lsn ? [{ ...each, to: other.from }] : []),
          ...(other.to.lsn < each.to.lsn ? [{ ...each, from: other.to }] : []),
        ];
      }),
    [reach],
  );
}

function beginTime({ at, times }: TimelineFacts): Date | undefined {
  return at.parent === undefined ? undefined : times.beginOf(at.timeline);
}

function endEdge({ at: { timeline }, domain, segmentBytes, times }: TimelineFacts): Edge {
  return { lsn: domain.to, isExact: true, time: times.lastCommit({ timeline, number: domain.to / BigInt(segmentBytes) - 1n }) };
}

function point({ lsn, isExact, time }: Edge): RecoverablePoint {
  return { lsn: isExact ? lsn : undefined, time };
}
