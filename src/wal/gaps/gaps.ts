import { clipped, runsOn, type TimelineRange, unusedBy } from '../../catalog/line-runs.ts';
import { leadsTo, type NeedyBackup } from '../../catalog/needy-backups.ts';
import { historiesBetween, type WalArchiveView } from '../../catalog/wal-archive-view.ts';
import { TimelineLine } from '../../postgres/timeline-line.ts';

/** WAL that a base backup needs to be restored to the end of its line of timelines, and that is not stored. */
export interface Hole {
  /** Gives the segments their names. */
  readonly line: TimelineLine;
  readonly first: bigint;
  readonly last: bigint;
  /** How long it has been one at least: since then WAL from behind it is stored, or known to have been written. */
  readonly since: Date;
  /** `end`: nothing from behind it is stored, so it may still be on its way; but a complete base backup needs it. */
  readonly kind: 'inside' | 'end';
  /** No base backup from after it is complete: what was written behind it cannot be restored. */
  readonly isOpen: boolean;
}

/** A `.history` without which recovery does not find the way to the newest timeline. */
export interface MissingHistory {
  readonly timeline: number;
  /** Since when there is WAL behind it. */
  readonly since: Date;
  readonly isOpen: boolean;
}

/** A timeline of which WAL is archived, but to which no base backup leads. */
export interface StrandedTimeline {
  readonly timeline: number;
  readonly since: Date;
}

export interface Gaps {
  /** To which recovery from the newest base backup leads; undefined where there is no WAL. */
  readonly timeline: number | undefined;
  /** Oldest first. */
  readonly holes: readonly Hole[];
  readonly missingHistories: readonly MissingHistory[];
  /** The newest timeline, if it is one. */
  readonly stranded: StrandedTimeline | undefined;
  /** What is stored of the line to that timeline, from the oldest base backup on, oldest first. */
  readonly runs: readonly TimelineRange[];
  /** What is stored beside it: other lines, such as what an old primary wrote after a standby had been promoted. */
  readonly apart: readonly TimelineRange[];
}

const missingHistoriesMax = 100;

interface Line {
  readonly timeline: number;
  readonly line: TimelineLine;
  /** From here on nothing is stored or known. */
  readonly evidenceEnd: bigint;
  readonly evidenceSince: Date;
}

interface Placed {
  readonly backup: NeedyBackup;
  readonly on: Line;
}

/**
 * What is missing between the start of each base backup and the end of the newest line of timelines that it leads to. No clock, no store: the
 * same view gives the same gaps. WAL from before the oldest backup, and of other lines than those, is not missed.
 */
export function findGaps(archive: WalArchiveView, backups: readonly NeedyBackup[]): Gaps {
  const timelines = timelinesOf(archive, backups);
  const lines = timelines.map((timeline) => lineTo(timeline, archive, backups)).toReversed();
  const placed = backups.flatMap((backup) => {
    const on = lines.find(({ line }) => leadsTo(line, backup));
    return on === undefined ? [] : [{ backup, on }];
  });
  const [newest] = lines;
  if (newest === undefined) {
    return { timeline: undefined, holes: [], missingHistories: [], stranded: undefined, runs: [], apart: [] };
  }
  const isKnown = newest.timeline === 1 || archive.histories.get(newest.timeline)?.switches !== undefined;
  const isStranded = isKnown && backups.length > 0 && !placed.some(({ on }) => on === newest);
  // Base backups are taken of the server in use. A newer timeline to which they do not lead may be that of a copy.
  const main = latest(placed)?.on ?? newest;
  const holes = lines.flatMap((line) => holesOn(line, placed, archive));
  const whole = placed.filter(({ backup, on }) => on === main && !holes.some((hole) => hole.line === on.line && cuts(hole, backup)));
  const isOpen = (hole: Hole) => hole.line === main.line && !whole.some(({ backup }) => backup.start.number > hole.last);
  const oldest = least(backups.map(({ start }) => start.number));
  const fromWhole = Math.max(...whole.map(({ backup }) => backup.start.timeline));
  return {
    timeline: main.timeline,
    holes: holes.map((hole) => ({ ...hole, isOpen: isOpen(hole) })),
    missingHistories: missingHistories(archive, backups, newest.timeline).map((timeline) => ({
      timeline,
      since: newest.evidenceSince,
      isOpen: timeline > fromWhole,
    })),
    stranded: isStranded ? { timeline: newest.timeline, since: newest.evidenceSince } : undefined,
    runs: clipped(runsOn(main.line, archive.ranges), oldest),
    apart: clipped(unusedBy(main.line, archive.ranges), oldest),
  };
}

function timelinesOf({ ranges, histories, reached }: WalArchiveView, backups: readonly NeedyBackup[]): number[] {
  const all = new Set([
    ...ranges.timelines,
    ...histories.keys(),
    ...reached.keys(),
    ...backups.flatMap(({ start, end }) => [start.timeline, end?.timeline ?? start.timeline]),
  ]);
  return [...all].toSorted((a, b) => a - b);
}

/** The line that ends with this timeline, as far as anything is known of it. Where the ancestors are unknown it begins with the timeline. */
function lineTo(timeline: number, { segmentBytes, ranges, histories, reached }: WalArchiveView, backups: readonly NeedyBackup[]): Line {
  const stored = histories.get(timeline);
  const history = stored?.switches ?? [];
  const begin = (history.at(-1)?.switchLsn ?? 0n) / BigInt(segmentBytes);
  const range = ranges.of(timeline).at(-1);
  const known = reached.get(timeline);
  const evidence = [
    { end: begin, since: stored?.since ?? new Date(0) },
    ...(range === undefined ? [] : [{ end: range.last + 1n, since: range.since }]),
    ...(known === undefined ? [] : [known]),
  ].reduce((best, each) => (each.end > best.end ? each : best));
  const needed = backups.flatMap(({ start, end }) => [
    ...(start.timeline === timeline ? [start.number] : []),
    ...(end?.timeline === timeline ? [end.number + 1n] : []),
  ]);
  const end = needed.reduce((most, each) => (each > most ? each : most), evidence.end);
  const line = new TimelineLine({ timeline, position: end * BigInt(segmentBytes), history, segmentBytes });
  return { timeline, line, evidenceEnd: evidence.end, evidenceSince: evidence.since };
}

/** Open or not is not known yet. */
function holesOn(on: Line, placed: readonly Placed[], { ranges }: WalArchiveView): Hole[] {
  const all = placed.filter((each) => each.on === on).map(({ backup }) => backup);
  const backups = all.filter(({ isAlone }) => isAlone !== true);
  const [first] = backups;
  const { line, evidenceEnd, evidenceSince } = on;
  const runs = runsOn(line, ranges);
  const alone = all.filter(({ isAlone, start }) => isAlone === true && backups.every((other) => start.number < other.start.number));
  const holes = alone.flatMap(({ start, end = start }) => holesBefore(end.number + 1n, holesFrom(start.number, line, runs).holes));
  if (first === undefined) return holes;
  const behind = holesFrom(least(backups.map(({ start }) => start.number)), line, runs);
  holes.push(...behind.holes);
  let { next } = behind;
  if (next < evidenceEnd) {
    holes.push({ line, first: next, last: evidenceEnd - 1n, since: evidenceSince, kind: 'inside', isOpen: false });
    next = evidenceEnd;
  }
  if (next < line.current.number) {
    const since = backups.reduce((last, { completed }) => (completed > last ? completed : last), first.completed);
    holes.push({ line, first: next, last: line.current.number - 1n, since, kind: 'end', isOpen: false });
  }
  return holes;
}

/** Between the first segment and the last that is stored, behind which `next` lies. */
function holesFrom(first: bigint, line: TimelineLine, runs: readonly TimelineRange[]): { readonly holes: Hole[]; readonly next: bigint } {
  const holes: Hole[] = [];
  let next = first;
  for (const run of runs) {
    if (run.last < next) continue;
    if (run.first > next) holes.push({ line, first: next, last: run.first - 1n, since: run.since, kind: 'inside', isOpen: false });
    next = run.last + 1n;
  }
  return { holes, next };
}

function holesBefore(end: bigint, holes: readonly Hole[]): Hole[] {
  return holes.filter(({ first }) => first < end).map((hole) => (hole.last < end ? hole : { ...hole, last: end - 1n }));
}

/** 0 where there are none. */
function least(numbers: readonly bigint[]): bigint {
  return numbers.reduce((a, b) => (b < a ? b : a), numbers[0] ?? 0n);
}

/** Whether the hole is within what the backup needs to become consistent. */
function cuts(hole: Hole, { start, end = start }: NeedyBackup): boolean {
  return hole.first <= end.number && hole.last >= start.number;
}

function latest(placed: readonly Placed[]): Placed | undefined {
  return placed.toSorted((a, b) => a.backup.startTime.getTime() - b.backup.startTime.getTime()).at(-1);
}

function missingHistories({ histories }: WalArchiveView, backups: readonly NeedyBackup[], newest: number): number[] {
  const missing: number[] = [];
  const oldest = Math.min(...backups.map(({ start }) => start.timeline));
  if (backups.length === 0) return missing;
  for (const timeline of historiesBetween(oldest, newest)) {
    if (!histories.has(timeline)) missing.push(timeline);
    if (missing.length >= missingHistoriesMax) break;
  }
  return missing;
}
