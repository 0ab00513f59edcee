import { type BasebackupEntry, needsStoredWal } from '../catalog/basebackup-entry.ts';
import type { SiteKeys } from '../catalog/keys.ts';
import type { WalRanges } from '../catalog/wal-ranges.ts';
import { formatLsn } from '../postgres/lsn.ts';
import type { TimelineSwitch } from '../postgres/timeline-history.ts';
import { formatWalName, historyNameOf } from '../postgres/wal-name.ts';
import type { Finding } from './finding.ts';
import { includes, segmentOf } from './segment-of.ts';

/** What is stored of the WAL of a site, by names. */
export interface StoredWal {
  readonly segmentBytes: number;
  readonly runs: WalRanges;
  /** Timelines whose history is stored; undefined: it cannot be read. */
  readonly histories: ReadonlyMap<number, readonly TimelineSwitch[] | undefined>;
  readonly basebackups: readonly BasebackupEntry[];
}

/** So many holes are told of. */
const toldMax = 100;

/** What is missing among the WAL, and which histories contradict each other. No clock, no store. */
export function judgeWal(wal: StoredWal, keys: SiteKeys): readonly Finding[] {
  const lacking = lackingOfBackups(wal, keys);
  const told = new Set(lacking.map(({ object }) => object));
  const holes = holesOf(wal, keys).filter(({ object }) => !told.has(object));
  return [...lacking, ...holes, ...judgeHistories(wal, keys)].slice(0, toldMax);
}

/** WAL without which a base backup is worth nothing. */
function lackingOfBackups({ segmentBytes, runs, basebackups }: StoredWal, keys: SiteKeys): Finding[] {
  const findings: Finding[] = [];
  const newest = basebackups.at(-1);
  for (const entry of basebackups.filter(needsStoredWal)) {
    const first = segmentOf(entry.startWalSegment, segmentBytes);
    const last = entry.endWalSegment === undefined ? first : segmentOf(entry.endWalSegment, segmentBytes);
    if (first === undefined || last === undefined) continue;
    // Where it ends on another timeline than it began on, its WAL was copied there.
    const onWay = (number: bigint) =>
      includes(runs, { timeline: first.timeline, number }) ||
      (last.timeline !== first.timeline && includes(runs, { timeline: last.timeline, number }));
    for (let number = first.number; number <= last.number; number++) {
      if (onWay(number)) continue;
      const name = formatWalName({ timeline: first.timeline, number }, segmentBytes);
      const isComing = entry === newest && !runs.of(last.timeline).some((run) => run.last > number);
      const what = `base backup ${entry.name} needs it to become consistent, and it is not stored`;
      findings.push({
        severity: isComing ? 'warning' : 'damaged',
        code: 'wal-missing',
        object: keys.wal(name),
        what: isComing ? `${what} (yet)` : what,
      });
      break;
    }
  }
  return findings;
}

/** Behind the beginning of the first base backup of a timeline, or of the timeline. */
function holesOf({ segmentBytes, runs, basebackups }: StoredWal, keys: SiteKeys): Finding[] {
  const findings: Finding[] = [];
  for (const timeline of runs.timelines) {
    const begin = firstNeeded(timeline, basebackups, segmentBytes);
    const stored = runs.of(timeline);
    for (const [index, run] of stored.entries()) {
      const before = stored[index - 1];
      if (before === undefined || run.first <= begin) continue;
      const first = formatWalName({ timeline, number: before.last + 1n }, segmentBytes);
      const last = formatWalName({ timeline, number: run.first - 1n }, segmentBytes);
      const which = first === last ? 'it is' : `it and what follows up to ${last} are`;
      const what = `${which} not stored: base backups from before it lead no further`;
      findings.push({ severity: 'warning', code: 'wal-missing', object: keys.wal(first), what });
    }
  }
  return findings;
}

/** Of WAL from before all base backups nobody has any use. */
function firstNeeded(timeline: number, basebackups: readonly BasebackupEntry[], segmentBytes: number): bigint {
  const starts = basebackups.flatMap(({ startWalSegment }) => segmentOf(startWalSegment, segmentBytes) ?? []);
  const own = starts.filter((start) => start.timeline === timeline).map(({ number }) => number);
  const isChild = starts.some((start) => start.timeline < timeline);
  return isChild || own.length === 0 ? 0n : own.reduce((least, number) => (number < least ? number : least));
}

function judgeHistories({ segmentBytes, runs, histories }: StoredWal, keys: SiteKeys): Finding[] {
  const findings: Finding[] = [];
  const tell = (severity: Finding['severity'], code: string, timeline: number, what: string) =>
    void findings.push({ severity, code, object: keys.history(historyNameOf(timeline)), what });
  for (const timeline of runs.timelines) {
    if (timeline > 1 && !histories.has(timeline)) {
      tell('damaged', 'history-missing', timeline, `it is not stored, but WAL of timeline ${timeline} is: no restore finds the way there`);
    }
  }
  for (const [timeline, switches] of histories) {
    const parent = switches?.at(-1);
    if (switches === undefined || parent === undefined) continue;
    const disordered = switches.find((each, index) => each.switchLsn < (switches[index - 1]?.switchLsn ?? 0n));
    if (disordered || parent.timeline >= timeline)
      tell('damaged', 'history-differs', timeline, 'its timelines were not left in their order');
    const ofParent = histories.get(parent.timeline);
    if (ofParent !== undefined && !isSame(ofParent, switches.slice(0, -1))) {
      tell('damaged', 'history-differs', timeline, `it tells another way to timeline ${parent.timeline} than the history of that one does`);
    }
    const first = runs.of(timeline)[0]?.first;
    const switchedIn = parent.switchLsn / BigInt(segmentBytes);
    if (first !== undefined && first < switchedIn) {
      const name = formatWalName({ timeline, number: first }, segmentBytes);
      const where = formatLsn(parent.switchLsn);
      tell('damaged', 'history-differs', timeline, `${name} is from before timeline ${timeline}, which by its history began at ${where}`);
    }
  }
  return findings;
}

function isSame(one: readonly TimelineSwitch[], other: readonly TimelineSwitch[]): boolean {
  return (
    one.length === other.length &&
    one.every(({ timeline, switchLsn }, at) => timeline === other[at]?.timeline && switchLsn === other[at]?.switchLsn)
  );
}

/** Names of the segments in which a timeline was left: the WAL of that timeline ends in it, and what stands behind that may be anything. */
export function segmentsLeft(histories: Iterable<readonly TimelineSwitch[] | undefined>, segmentBytes: number): ReadonlySet<string> {
  const names = new Set<string>();
  for (const switches of histories) {
    for (const { timeline, switchLsn } of switches ?? [])
      names.add(formatWalName({ timeline, number: switchLsn / BigInt(segmentBytes) }, segmentBytes));
  }
  return names;
}
