import { commitsOn, type MadeBase, type MadeUpHistory, segmentBytes, truePartsOf } from './made-up-history.ts';

/** What recovery can come to from one base backup by one target timeline: positions of one timeline, both ends included. */
export interface OracleReach {
  readonly timeline: number;
  readonly from: bigint;
  readonly to: bigint;
  readonly backup: string;
  readonly fromMs: number;
}

type Part = ReturnType<typeof truePartsOf>[number];

/**
 * Does as PostgreSQL's recovery does, for each base backup and each target timeline: reads the history, checks that the backup lies on it, then reads one segment after
 * the other, each under the name of the newest timeline that has begun by it, or else of an older one. `bySegments`: as if each backup became consistent only at the end of
 * the last segment that it needs.
 */
export function oracleOf(history: MadeUpHistory, bySegments = false): OracleReach[] {
  const lines = history.timelines.flatMap(({ timeline }) => lineTo(history, timeline));
  return lines.flatMap((line) =>
    history.backups.filter(({ isCorrupt }) => !isCorrupt).flatMap((backup) => recover(history, line, backup, bySegments)),
  );
}

/** As readTimeLineHistory has it: without a history the timeline has no parents; with a damaged one recovery ends. */
function lineTo(history: MadeUpHistory, timeline: number): Part[][] {
  if (timeline === 1) return [truePartsOf(history, 1)];
  const found = history.histories.get(timeline);
  if (found === 'corrupt') return [];
  if (found === 'sound') return [truePartsOf(history, timeline)];
  return [[{ timeline, begin: 0, end: Number.POSITIVE_INFINITY }]];
}

function recover(history: MadeUpHistory, line: readonly Part[], backup: MadeBase, bySegments: boolean): OracleReach[] {
  const isOn = ({ timeline, lsn }: MadeBase['start']) =>
    line.some((part) => part.timeline === timeline && part.begin <= lsn && lsn <= part.end);
  if (!isOn(backup.start) || !isOn(backup.end)) return [];
  const reached = readAll(history, line, Math.floor((backup.start.lsn - 1) / segmentBytes));
  if (reached < backup.end.lsn) return [];
  const left = line.find((part) => part.timeline === backup.end.timeline)?.end ?? 0;
  const from = bySegments ? Math.min(left, Math.ceil(backup.end.lsn / segmentBytes) * segmentBytes) : backup.end.lsn;
  return line.flatMap(({ timeline, begin, end }) => {
    const [first, last] = [Math.max(from, begin), Math.min(reached, end)];
    if (first >= last && timeline !== backup.end.timeline) return [];
    return first > last ? [] : [{ timeline, from: BigInt(first), to: BigInt(last), backup: backup.name, fromMs: backup.endMs }];
  });
}

/** Up to where WAL can be read from this segment on. */
function readAll({ segments, corrupt }: MadeUpHistory, line: readonly Part[], first: number): number {
  const isThere = (timeline: number, number: number) => segments.has(`${timeline}:${number}`) && !corrupt.has(`${timeline}:${number}`);
  for (let number = first; ; number++) {
    const candidates = line.filter(({ begin }) => Math.floor(begin / segmentBytes) <= number).toReversed();
    const [newest] = candidates;
    const file = candidates.find(({ timeline, end }) => end >= number * segmentBytes && isThere(timeline, number));
    if (file === undefined) return number * segmentBytes;
    if (file !== newest) return Math.min(file.end, (number + 1) * segmentBytes);
  }
}

/** Whether all that had been committed on the way to a timeline by then can be had, and nothing else. */
export function stateAt(history: MadeUpHistory, timeline: number, ms: number): boolean {
  const parts = truePartsOf(history, timeline);
  const commits = parts.flatMap((part) =>
    history.timelines
      .filter((each) => each.timeline === part.timeline)
      .flatMap(commitsOn)
      .filter(({ lsn, ms: at }) => lsn <= part.end && at <= ms),
  );
  const last = commits.at(-1);
  const reaches = oracleOf(history).filter(({ fromMs }) => fromMs <= ms);
  if (last === undefined) return reaches.length > 0;
  // A base backup from behind the last commit has it, wherever its own part of the line begins.
  return reaches.some((reach) => {
    const at = parts.findIndex((part) => part.timeline === reach.timeline);
    const of = parts.findIndex((part) => part.timeline === last.timeline);
    return at !== -1 && (at > of || (at === of && reach.to >= BigInt(last.lsn)));
  });
}

/** Whether one of these, or several that touch, cover a range. */
export function isWithin(
  range: { readonly from: bigint; readonly to: bigint },
  others: readonly { readonly from: bigint; readonly to: bigint }[],
): boolean {
  let next = range.from;
  for (const { from, to } of others.toSorted((a, b) => (a.from < b.from ? -1 : Number(a.from > b.from)))) {
    if (from <= next && to > next) next = to;
    if (from <= range.from && to >= range.to) return true;
  }
  return next >= range.to && (next > range.from || others.some(({ from, to }) => from <= range.from && range.from <= to));
}
