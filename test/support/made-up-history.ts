import { integer, record } from 'fast-check';
import { parseBasebackupEntry } from '../../src/catalog/basebackup-entry.ts';
import { fingerprintOf } from '../../src/catalog/evidence/fingerprint.ts';
import type { VerifyEvidence } from '../../src/catalog/evidence/verify-evidence.ts';
import { noWalTimes, type RecoverabilityFacts } from '../../src/catalog/recoverability/facts.ts';
import type { StoredHistory } from '../../src/catalog/wal-archive-view.ts';
import { WalRanges } from '../../src/catalog/wal-ranges.ts';
import { formatLsn } from '../../src/postgres/lsn.ts';
import { formatWalName } from '../../src/postgres/wal-name.ts';
import { SeededRandom } from './seeded-random.ts';

export const segmentBytes = 1024 * 1024;
const epoch = Date.parse('2026-11-30T00:00:00Z');
const stored = new Date(epoch);

/** A timeline with all that its server wrote. Positions are bytes. */
export interface MadeTimeline {
  readonly timeline: number;
  readonly parent: number | undefined;
  readonly begin: number;
  readonly end: number;
  /** When it began; so many bytes are written a second from then on. */
  readonly ms: number;
  readonly bytesPerMs: number;
}

export interface MadeBase {
  readonly name: string;
  readonly start: { readonly timeline: number; readonly lsn: number };
  readonly end: { readonly timeline: number; readonly lsn: number };
  readonly endMs: number;
  readonly isCorrupt: boolean;
  readonly from: 'primary' | 'standby';
}

/** What happened to a cluster, and what is left of it in a store. */
export interface MadeUpHistory {
  readonly timelines: readonly MadeTimeline[];
  /** `timeline:number` */
  readonly segments: ReadonlySet<string>;
  readonly corrupt: ReadonlySet<string>;
  readonly histories: ReadonlyMap<number, 'sound' | 'corrupt'>;
  readonly backups: readonly MadeBase[];
  readonly knowsTimes: boolean;
  readonly sampledMs: readonly number[];
  readonly drills: readonly { readonly backup: number; readonly bytes: number }[];
}

const commitEveryBytes = 100_000;

/** Random timelines, backups and losses. */
export const madeUpHistory = record({ seed: integer({ min: 0, max: 2 ** 31 }), timelines: integer({ min: 1, max: 5 }) }).map(
  ({ seed, timelines }) => make(new SeededRandom(seed), timelines),
);

function make(dice: SeededRandom, count: number): MadeUpHistory {
  const timelines = makeTimelines(dice, count);
  const all = timelines.flatMap(({ timeline, begin, end }) => numbers(begin, end).map((number) => `${timeline}:${number}`));
  const loss = dice.next() ** 2 * 0.4;
  const segments = new Set(all.filter(() => dice.next() >= loss));
  const corrupt = new Set([...segments].filter(() => dice.next() < loss / 5));
  const histories = new Map<number, 'sound' | 'corrupt'>();
  for (const { timeline } of timelines.slice(1)) {
    const luck = dice.next();
    if (luck > 0.12) histories.set(timeline, luck > 0.2 ? 'sound' : 'corrupt');
  }
  const backups = Array.from({ length: 1 + Math.floor(dice.next() * 5) }, (_none, index) => makeBackup(dice, timelines, index)).flat();
  const sampledMs = Array.from({ length: 6 }, () => epoch + dice.next() * 3_600_000);
  const drills = dice.next() < 0.5 ? [{ backup: Math.floor(dice.next() * backups.length), bytes: dice.next() * 8 * segmentBytes }] : [];
  return { timelines, segments, corrupt, histories, backups, knowsTimes: dice.next() < 0.6, sampledMs, drills };
}

function makeTimelines(dice: SeededRandom, count: number): MadeTimeline[] {
  const timelines: MadeTimeline[] = [];
  for (let timeline = 1; timeline <= count; timeline++) {
    const parent = timelines[Math.floor(dice.next() * timelines.length)];
    const begin = parent === undefined ? segmentBytes : parent.begin + Math.floor(dice.next() * (parent.end - parent.begin)) + 1;
    const end = begin + Math.floor((0.2 + dice.next() * 7) * segmentBytes);
    const before = timelines.at(-1);
    // Whoever was promoted did it after all that it knows, and after the timelines before.
    const ms = Math.max(parent === undefined ? epoch : timeAt(parent, begin), before?.ms ?? epoch) + 60_000;
    timelines.push({ timeline, parent: parent?.timeline, begin, end, ms, bytesPerMs: 2 + dice.next() * 50 });
  }
  return timelines;
}

function makeBackup(dice: SeededRandom, timelines: readonly MadeTimeline[], index: number): MadeBase[] {
  const on = timelines[Math.floor(dice.next() * timelines.length)];
  if (on === undefined) return [];
  const first = Math.ceil(on.begin / segmentBytes);
  const last = Math.floor((on.end - 1) / segmentBytes);
  if (first > last) return [];
  const start = first + Math.floor(dice.next() * (last - first + 1));
  const from = dice.next() < 0.6 ? 'primary' : 'standby';
  const written = start * segmentBytes + 1 + Math.floor(dice.next() * 2 * segmentBytes);
  // A primary ends the segment.
  const end = from === 'primary' ? Math.ceil(written / segmentBytes) * segmentBytes : Math.min(on.end, written);
  if (end > on.end) return [];
  const lsn = start * segmentBytes + 1;
  if (end < lsn) return [];
  const place = (at: number) => ({ timeline: on.timeline, lsn: at });
  const endMs = Math.ceil(timeAt(on, end));
  return [{ name: `2026-11-30_00-0${index}_0`, start: place(lsn), end: place(end), endMs, isCorrupt: dice.next() < 0.1, from }];
}

/** Segments that a server finished, the copy of the one in which its timeline began included. */
function numbers(begin: number, end: number): number[] {
  const first = Math.floor(begin / segmentBytes);
  return Array.from({ length: Math.max(0, Math.floor(end / segmentBytes) - first) }, (_none, index) => first + index);
}

/** When this position of a timeline was written. */
export function timeAt({ begin, ms, bytesPerMs }: MadeTimeline, lsn: number): number {
  return ms + (lsn - begin) / bytesPerMs;
}

export interface MadeCommit {
  readonly timeline: number;
  /** Where its record ends. */
  readonly lsn: number;
  readonly ms: number;
}

/** All that was committed on a timeline itself. */
export function commitsOn(made: MadeTimeline): MadeCommit[] {
  const commits: MadeCommit[] = [];
  for (let lsn = made.begin + commitEveryBytes; lsn <= made.end; lsn += commitEveryBytes) {
    commits.push({ timeline: made.timeline, lsn, ms: timeAt(made, lsn) });
  }
  return commits;
}

/** The parts of timelines that lead to one, oldest first. */
export function truePartsOf(
  { timelines }: Pick<MadeUpHistory, 'timelines'>,
  timeline: number,
): { readonly timeline: number; readonly begin: number; readonly end: number }[] {
  const parts: { timeline: number; begin: number; end: number }[] = [];
  let end = Number.POSITIVE_INFINITY;
  for (let at = timelines.find((each) => each.timeline === timeline); at !== undefined; ) {
    parts.unshift({ timeline: at.timeline, begin: at.parent === undefined ? 0 : at.begin, end });
    end = at.begin;
    const { parent } = at;
    at = timelines.find((each) => each.timeline === parent);
  }
  return parts;
}

/** What of it a daemon would know. */
export function asFacts(history: MadeUpHistory): RecoverabilityFacts {
  const ranges = new WalRanges();
  for (const name of history.segments) {
    const [timeline, number] = name.split(':');
    ranges.add({ timeline: Number(timeline), number: BigInt(number ?? 0) }, stored);
  }
  const histories = new Map<number, StoredHistory>();
  for (const timeline of history.histories.keys()) {
    const parts = truePartsOf(history, timeline).slice(0, -1);
    histories.set(timeline, {
      since: stored,
      switches: parts.map((part) => ({ timeline: part.timeline, switchLsn: BigInt(part.end), reason: '' })),
    });
  }
  const entries = history.backups.map(entryOf).toSorted((a, b) => a.startTime.getTime() - b.startTime.getTime());
  const newest = history.timelines.at(-1);
  return {
    basebackups: { entries, unreadable: [] },
    unfinished: [],
    alone: new Set(),
    archive: { segmentBytes, ranges, histories, reached: new Map() },
    beginning: undefined,
    servers: { samples: newest === undefined ? [] : samplesOf(history, newest), clockSetBack: undefined },
    times: history.knowsTimes ? timesOf(history) : noWalTimes,
    restorePoints: [],
    evidence: { verify: evidenceOf(history, entries), drills: history.drills.flatMap((drill) => drillOf(history, drill)) },
  };
}

function samplesOf({ sampledMs }: MadeUpHistory, newest: MadeTimeline) {
  return sampledMs
    .toSorted((a, b) => a - b)
    .filter((ms) => ms >= newest.ms)
    .map((ms) => {
      const lsn = BigInt(Math.min(newest.end, Math.floor(newest.begin + (ms - newest.ms) * newest.bytesPerMs)));
      return { time: new Date(ms), timeline: newest.timeline, lsn, flushed: lsn };
    });
}

function timesOf(history: MadeUpHistory): RecoverabilityFacts['times'] {
  return {
    lastCommit: ({ timeline, number }) => {
      const end = (Number(number) + 1) * segmentBytes;
      const all = truePartsOf(history, timeline).flatMap((part) =>
        history.timelines
          .filter((each) => each.timeline === part.timeline)
          .flatMap(commitsOn)
          .filter(({ lsn }) => lsn <= Math.min(part.end, end)),
      );
      const last = all.at(-1);
      return last && new Date(last.ms);
    },
    lastBefore: (timeline) => {
      const made = history.timelines.find((each) => each.timeline === timeline);
      const start = Math.floor((made?.begin ?? 0) / segmentBytes) * segmentBytes;
      const before = truePartsOf(history, timeline).slice(0, -1);
      const commits = before.flatMap((part) => {
        const on = history.timelines.filter((each) => each.timeline === part.timeline);
        return on.flatMap(commitsOn).filter(({ lsn }) => lsn > start && lsn <= part.end);
      });
      const last = commits.at(-1);
      return last && new Date(last.ms);
    },
    beginOf: (timeline) => {
      const made = history.timelines.find((each) => each.timeline === timeline);
      return made?.parent === undefined ? undefined : new Date(made.ms);
    },
  };
}

function entryOf({ name, start, end, endMs, from }: MadeBase) {
  const nameOf = ({ timeline, lsn }: MadeBase['start']) =>
    formatWalName({ timeline, number: BigInt(Math.floor((lsn - 1) / segmentBytes)) }, segmentBytes);
  return parseBasebackupEntry({
    key: `main/basebackup/${name}.00000000.pghoard`,
    size: 1,
    lastModified: new Date(endMs),
    metadata: {
      'start-time': new Date(endMs - 5000).toISOString(),
      'end-time': new Date(endMs).toISOString(),
      'start-wal-segment': nameOf(start),
      'end-wal-segment': nameOf(end),
      'backup-from': from,
      'basebackup-mode': 'pipe',
    },
  });
}

function evidenceOf(
  { corrupt, backups, histories, timelines }: MadeUpHistory,
  entries: readonly ReturnType<typeof entryOf>[],
): VerifyEvidence[] {
  const found = { verified_at: stored.toISOString(), bytes: 1, fingerprint: '', result: 'corrupt', findings: [] } as const;
  const ofBackups = backups
    .filter(({ isCorrupt }) => isCorrupt)
    .flatMap(({ name }) => entries.filter((entry) => entry.name === name))
    .map((entry) => ({ format: 1, kind: 'basebackup', name: entry.name, ...found, fingerprint: fingerprintOf(entry) }) as const);
  const ofWal = timelines.map(({ timeline }) => {
    const names = [...corrupt].filter((name) => name.startsWith(`${timeline}:`)).map((name) => BigInt(name.split(':')[1] ?? 0));
    const runs = names.map((number) => {
      const segment = formatWalName({ timeline, number }, segmentBytes);
      return { from: segment, to: segment, ...found };
    });
    const history = histories.get(timeline) === 'corrupt' ? found : null;
    return { format: 1, kind: 'wal', timeline, segment_bytes: segmentBytes, history, runs } as const;
  });
  return [...ofBackups, ...ofWal];
}

function drillOf(
  { backups }: MadeUpHistory,
  { backup, bytes }: MadeUpHistory['drills'][number],
): RecoverabilityFacts['evidence']['drills'] {
  const of = backups[backup];
  if (of === undefined) return [];
  const { timeline } = of.end;
  const base = {
    format: 1,
    basebackup: of.name,
    timeline,
    target: { kind: 'latest', value: null },
    begun_at: new Date(of.endMs + 60_000).toISOString(),
  } as const;
  const replayed = { timeline, lsn: formatLsn(BigInt(Math.floor(of.end.lsn + bytes))), time: null };
  return [
    {
      ...base,
      replayed_to: replayed,
      duration_seconds: 1,
      result: 'passed',
      because: null,
      checks: [],
      restored_bytes: null,
      replayed_segments: null,
    },
  ];
}
