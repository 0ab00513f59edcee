import type { Lsn } from '../../postgres/lsn.ts';
import { consistentAt, type LineFindings, type LineWindow, latest, momentOf, settled, type TimeEvidence } from './line-windows.ts';
import type { LinePart, StoredLine } from './stored-line.ts';
import type { WalBackup } from './wal-backup.ts';

/** An end of a reach. Where exactly it is may not be known: then it is no further out than this. */
export interface Edge {
  readonly lsn: Lsn;
  readonly isExact: boolean;
  readonly time: Date | undefined;
}

/** What can be restored of a timeline's own part, by whichever line, without a gap. */
export interface Reach {
  readonly from: Edge;
  readonly to: Edge;
  readonly lastCommit: Date | undefined;
  readonly backups: readonly WalBackup[];
}

/** By timeline, ascending and apart from each other. */
export type Reaches = ReadonlyMap<number, readonly Reach[]>;

/** What windows of all lines are, timeline by timeline: the line of a descendant may have what is missing of another. */
export function reachesOf(findings: readonly LineFindings[], evidence: TimeEvidence): Reaches {
  const all = new Map<number, Reach[]>();
  for (const { line, windows } of findings) {
    for (const window of windows) {
      for (const part of line.parts) {
        const reach = reachIn(part, line, window, evidence);
        if (reach !== undefined) addTo(all, part.timeline, reach);
      }
    }
  }
  return unitedAll(all);
}

/** The same of base backups of which nobody knows whether they are whole. */
export function doubtsOf(findings: readonly LineFindings[]): Reaches {
  const all = new Map<number, Reach[]>();
  for (const { line, unproven } of findings) {
    for (const { backup, stretch } of unproven) {
      const from = { lsn: consistentAt(line, backup), time: momentOf(backup.entry), isExact: true };
      for (const part of line.parts) {
        const [first, last] = [greater(from.lsn, part.begin), lesser(stretch.endLsn, part.end)];
        if (first > last || (first === last && part.timeline !== backup.start.timeline)) continue;
        const begin = first === from.lsn ? from : { lsn: first, time: undefined, isExact: true };
        const to = { lsn: last, time: undefined, isExact: true };
        addTo(all, part.timeline, { from: begin, to, lastCommit: undefined, backups: [backup] });
      }
    }
  }
  return unitedAll(all);
}

function unitedAll(all: ReadonlyMap<number, readonly Reach[]>): Reaches {
  return new Map([...all].map(([timeline, reaches]) => [timeline, united(reaches)]));
}

/** Ascending; what touches is joined. */
export function united(reaches: readonly Reach[]): readonly Reach[] {
  const joined: Reach[] = [];
  for (const reach of reaches.toSorted((a, b) => compare(a.from.lsn, b.from.lsn) || compare(a.to.lsn, b.to.lsn))) {
    const last = joined.at(-1);
    if (last === undefined || reach.from.lsn > last.to.lsn) joined.push(reach);
    else joined[joined.length - 1] = join(last, reach);
  }
  return joined;
}

function join(first: Reach, then: Reach): Reach {
  const isLonger = then.to.lsn > first.to.lsn;
  const time = latest([first.to.time, then.to.time]);
  const isSameBegin = first.from.lsn === then.from.lsn;
  return {
    from: isSameBegin ? { ...first.from, time: earliest([first.from.time, then.from.time]) } : first.from,
    to: { ...(isLonger ? then.to : first.to), time },
    lastCommit: isLonger ? then.lastCommit : first.lastCommit,
    backups: [...new Set([...first.backups, ...then.backups])],
  };
}

/** What of the window lies in one timeline. */
function reachIn(part: LinePart, line: StoredLine, window: LineWindow, evidence: TimeEvidence): Reach | undefined {
  const { stretch, backups, until } = window;
  const [oldest] = backups;
  if (oldest === undefined) return undefined;
  const begin = consistentAt(line, oldest);
  const [first, last] = [greater(begin, part.begin), lesser(stretch.endLsn, part.end)];
  if (first > last || (first === last && part.timeline !== (oldest.end ?? oldest.start).timeline)) return undefined;
  const isLast = last === stretch.endLsn;
  const to = { lsn: last, isExact: true, time: isLast ? until : switchedBy(part, line, window, evidence) };
  const entered = first === begin ? window.from : switchedAt(part, line, window, evidence);
  const from = {
    lsn: first,
    isExact: first !== begin || oldest.end !== undefined,
    time: first === begin ? entered : noLater(entered, to.time),
  };
  return { from, to, lastCommit: isLast ? window.lastCommit : undefined, backups };
}

/** A moment up to which all that was committed stands before the end of the part. */
function switchedBy(part: LinePart, line: StoredLine, { from, backups }: LineWindow, { servers, times }: TimeEvidence): Date | undefined {
  const next = line.parts[line.parts.indexOf(part) + 1];
  const before = servers.samples.findLast((sample) => sample.timeline <= part.timeline && sample.lsn <= part.end && line.includes(sample));
  const committed = next === undefined ? undefined : times.lastBefore(next.timeline);
  const noted = times.lastCommit({ timeline: part.timeline, number: part.end / BigInt(line.segmentBytes) - 1n });
  const ends = backups.filter(({ end }) => end?.timeline === part.timeline).map(({ entry }) => momentOf(entry));
  return latest([...[before?.time, committed, noted].flatMap((time) => (time === undefined ? [] : settled(time, from))), ...ends]);
}

/** By when the timeline of the part had begun. */
function switchedAt({ timeline }: LinePart, line: StoredLine, { stretch }: LineWindow, { servers, times }: TimeEvidence): Date | undefined {
  const seen = servers.samples.find((sample) => sample.timeline === timeline && line.covers(stretch, sample));
  return times.beginOf(timeline) ?? seen?.time;
}

function noLater(time: Date | undefined, end: Date | undefined): Date | undefined {
  return time !== undefined && end !== undefined && end < time ? end : time;
}

function addTo(all: Map<number, Reach[]>, timeline: number, reach: Reach): void {
  const here = all.get(timeline);
  if (here === undefined) all.set(timeline, [reach]);
  else here.push(reach);
}

function earliest(dates: readonly (Date | undefined)[]): Date | undefined {
  return dates.reduce((first, date) => (date !== undefined && (first === undefined || date < first) ? date : first), undefined);
}

export function compare(a: Lsn, b: Lsn): number {
  return a < b ? -1 : Number(a > b);
}

export function greater(a: Lsn, b: Lsn): Lsn {
  return a > b ? a : b;
}

export function lesser(a: Lsn, b: Lsn): Lsn {
  return a < b ? a : b;
}
