import type { BasebackupEntry } from '../basebackup-entry.ts';
import { fingerprintOf } from '../evidence/fingerprint.ts';
import type { BasebackupEvidence, WalEvidence } from '../evidence/verify-evidence.ts';
import { needyBackups } from '../needy-backups.ts';
import { historiesBetween, type WalArchiveView } from '../wal-archive-view.ts';
import { aloneAt, markOf, unfinishedMark, unreadableMark } from './backup-marks.ts';
import type { RecoverabilityFacts, WalTimes } from './facts.ts';
import { placementOn } from './line-placement.ts';
import { consistentAt, findWindows, type LineFindings, momentOf } from './line-windows.ts';
import { lostBackups } from './lost-backups.ts';
import { provenWindows } from './proven-windows.ts';
import { doubtsOf, type Reach, reachesOf, united } from './reaches.ts';
import type { BackupMark, Recoverability, RecoverablePoint, RecoverableTimeline } from './recoverability.ts';
import { StoredLine } from './stored-line.ts';
import { type KnownTimeline, knownTimelines } from './timelines.ts';
import { timelinesWithSpans } from './timelines-with-spans.ts';
import { corruptRuns, withoutRuns } from './usable-ranges.ts';
import type { WalBackup } from './wal-backup.ts';

/** What can be restored, and what of it by a restore that names no timeline. */
export interface FoundRecoverability extends Recoverability {
  /** Undefined where no WAL is stored, or nobody knows. */
  readonly byDefault: LineFindings | undefined;
  /** Of each timeline that a restore can be told to follow. */
  readonly lines: readonly LineFindings[];
  /** Those that carry their own WAL. */
  readonly selfContained: readonly BasebackupEntry[];
}

type Placed = RecoverablePoint & { readonly timeline: number };

/** Finds all moments that can be restored. No clock, no store: the same facts give the same answer, and what is not certain from them is not claimed. */
export function findRecoverability(facts: RecoverabilityFacts): FoundRecoverability {
  const selfContained = facts.basebackups.entries.filter(carriesItsWal);
  return facts.archive === undefined ? withoutArchive(facts, selfContained) : withArchive(facts, facts.archive, selfContained);
}

function withArchive(facts: RecoverabilityFacts, archive: WalArchiveView, selfContained: readonly BasebackupEntry[]): FoundRecoverability {
  const { segmentBytes } = archive;
  const { basebackups, evidence, alone } = facts;
  const verifiedWal = evidence.verify.filter((each) => each.kind === 'wal');
  const verified = verifiedBackups(facts);
  const corrupt = corruptRuns(verifiedWal, segmentBytes);
  const usable = withoutRuns(archive.ranges, corrupt);
  const all = walBackups(basebackups.entries, segmentBytes, alone);
  const sound = all.filter(({ name }) => verified.get(name)?.result !== 'corrupt');
  const timelines = knownTimelines(archive, all, corruptHistories(verifiedWal));
  const lineOf = ({ timeline, switches }: KnownTimeline, isCut: (from: number, to: number) => boolean) =>
    new StoredLine({ timeline, switches, segmentBytes, ranges: usable, beginning: facts.beginning, isCut });
  const followable = timelines.filter(({ history }) => history !== 'corrupt');
  const findings = followable.map((each) =>
    findWindows(
      lineOf(each, () => false),
      sound,
      facts,
    ),
  );
  const current = currentOf(findings, all, facts.times);
  const main = followable.find(({ timeline }) => timeline === current);
  const byDefault = main && findWindows(lineOf(main, isUnknownWay(archive, timelines)), sound, facts);
  const lost = lostBackups(all, findings, verified);
  const known = {
    timelines,
    reaches: withSelfContained(reachesOf(findings, facts), selfContained, segmentBytes),
    doubts: doubtsOf(findings),
  };
  const proven = reachesOf(provenWindows(findings, evidence.drills), facts);
  const hole = { segmentBytes, usable, corrupt, lost };
  const lines = new Set(byDefault?.line.parts.map(({ timeline }) => timeline));
  const marks = { facts, findings, verified, lost: new Map(lost.map(({ backup, cause }) => [backup.name, cause])) };
  const newest = newestOf(byDefault, selfContained, segmentBytes);
  return {
    segmentBytes,
    timelines: timelinesWithSpans({ ...known, ...hole, proven, backups: all, facts, archive, current: lines }),
    basebackups: marksOf(marks, segmentBytes),
    current,
    ...(newest && { newest }),
    byDefault,
    lines: findings,
    selfContained,
  };
}

/** Only what carries its own WAL is certain then. */
function withoutArchive(facts: RecoverabilityFacts, selfContained: readonly BasebackupEntry[]): FoundRecoverability {
  const newest = newestOf(undefined, selfContained, undefined);
  const points = selfContained.map((entry) => ({ entry, at: aloneAt(entry, undefined) }));
  const timelines = [...new Set(points.map(({ at }) => at.timeline))].toSorted((a, b) => a - b);
  return {
    segmentBytes: undefined,
    timelines: timelines.map((timeline): RecoverableTimeline => {
      const here = points.filter(({ at }) => at.timeline === timeline);
      const spans = here.map(({ entry, at }) => {
        const because = `base backup ${entry.name} carries its own WAL, and is restored to the moment at which it ended`;
        return { state: 'covered', from: at, to: at, lastCommit: undefined, basebackups: [entry.name], because } as const;
      });
      return { timeline, isCurrent: timeline === newest?.timeline, spans, restorePoints: [] };
    }),
    basebackups: marksOf({ facts, findings: [], verified: verifiedBackups(facts), lost: new Map() }, undefined),
    current: newest?.timeline,
    ...(newest && { newest }),
    byDefault: undefined,
    lines: [],
    selfContained,
  };
}

function walBackups(entries: readonly BasebackupEntry[], segmentBytes: number, alone: ReadonlySet<string>): readonly WalBackup[] {
  const byName = new Map(entries.map((entry) => [entry.name, entry]));
  return needyBackups(entries, segmentBytes, alone).flatMap((backup) => {
    const entry = byName.get(backup.name);
    return entry === undefined ? [] : [{ ...backup, entry }];
  });
}

function carriesItsWal({ metadata }: BasebackupEntry): boolean {
  return metadata['active-backup-mode'] === 'standalone_hot_backup';
}

function corruptHistories(verified: readonly WalEvidence[]): ReadonlySet<number> {
  return new Set(verified.filter(({ history }) => history?.result === 'corrupt').map(({ timeline }) => timeline));
}

/** By name; of what is stored now. */
export function verifiedBackups({
  basebackups,
  evidence,
}: Pick<RecoverabilityFacts, 'basebackups' | 'evidence'>): ReadonlyMap<string, BasebackupEvidence> {
  const fingerprints = new Map(basebackups.entries.map((entry) => [entry.name, fingerprintOf(entry)]));
  return new Map(
    evidence.verify.flatMap((each) =>
      each.kind === 'basebackup' && fingerprints.get(each.name) === each.fingerprint ? [[each.name, each] as const] : [],
    ),
  );
}

/** Base backups are taken of the server in use. A newer timeline to which they do not lead may be that of a copy. */
function currentOf(findings: readonly LineFindings[], all: readonly WalBackup[], times: WalTimes): number | undefined {
  const newestFirst = all.toSorted((a, b) => b.startTime.getTime() - a.startTime.getTime());
  for (const backup of newestFirst) {
    const found = findings.findLast(({ line }) => placementOn(line, backup, times) !== 'beside');
    if (found !== undefined) return found.line.timeline;
  }
  return findings.at(-1)?.line.timeline;
}

/** Without being told a timeline PostgreSQL tries each number in turn, up to the first that has no history. */
function isUnknownWay({ histories }: WalArchiveView, timelines: readonly KnownTimeline[]) {
  const corrupt = new Set(timelines.filter(({ history }) => history === 'corrupt').map(({ timeline }) => timeline));
  return (from: number, to: number) => {
    for (const timeline of historiesBetween(from, to)) if (!histories.has(timeline) || corrupt.has(timeline)) return true;
    return false;
  };
}

/** They are moments among what the archive covers. */
function withSelfContained(reaches: ReadonlyMap<number, readonly Reach[]>, entries: readonly BasebackupEntry[], segmentBytes: number) {
  const all = new Map(reaches);
  for (const entry of entries) {
    const { timeline, lsn, time } = aloneAt(entry, segmentBytes);
    const [start] = needyBackups([{ ...entry, metadata: {} }], segmentBytes);
    if (lsn === undefined || start === undefined) continue;
    const edge = { lsn, time, isExact: entry.endWalSegment !== undefined };
    const reach = { from: edge, to: edge, lastCommit: undefined, backups: [{ ...start, isAlone: true, entry }] };
    const here = all.get(timeline) ?? [];
    const isInside = here.some(({ from, to }) => from.lsn <= lsn && lsn <= to.lsn);
    if (!isInside) all.set(timeline, united([...here, reach]));
  }
  return all;
}

function newestOf(
  byDefault: LineFindings | undefined,
  selfContained: readonly BasebackupEntry[],
  segmentBytes: number | undefined,
): Placed | undefined {
  const windows = (byDefault?.windows ?? []).map(({ from, until, stretch }) => {
    return { from, at: { timeline: stretch.timeline, lsn: stretch.endLsn, time: until } };
  });
  const moments = selfContained.map((entry) => ({ from: momentOf(entry), at: aloneAt(entry, segmentBytes) }));
  return [...moments, ...windows].toSorted((a, b) => a.from.getTime() - b.from.getTime()).at(-1)?.at;
}

interface MarkSources {
  readonly facts: RecoverabilityFacts;
  readonly findings: readonly LineFindings[];
  readonly verified: ReadonlyMap<string, BasebackupEvidence>;
  readonly lost: ReadonlyMap<string, NonNullable<BackupMark['cause']>>;
}

function marksOf({ facts, findings, verified, lost }: MarkSources, segmentBytes: number | undefined): readonly BackupMark[] {
  const { basebackups, unfinished, alone, evidence } = facts;
  const drills = new Map(evidence.drills.filter(({ result }) => result === 'passed').map((drill) => [drill.basebackup, drill]));
  const reached = reachedBy(findings);
  const complete = basebackups.entries.map((entry) => {
    const { name } = entry;
    const own = carriesItsWal(entry) ? aloneAt(entry, segmentBytes) : undefined;
    const place = own === undefined ? reached.get(name) : { from: own, reaches: own };
    const corrupt = verified.get(name)?.result === 'corrupt';
    const cause = corrupt
      ? ({ kind: 'basebackup-corrupt', basebackup: name } as const)
      : place === undefined
        ? (lost.get(name) ?? ({ kind: 'unproven', basebackup: name } as const))
        : undefined;
    const isAlone = own !== undefined || alone.has(name);
    const at = cause === undefined ? place : undefined;
    return markOf(entry, {
      segmentBytes,
      cause,
      from: at?.from,
      reaches: at?.reaches,
      isAlone,
      verified: verified.get(name),
      drill: drills.get(name),
    });
  });
  return [...complete, ...unfinished.map(unfinishedMark), ...basebackups.unreadable.map(unreadableMark)];
}

/** From where and up to where each can be recovered, on the newest timeline to which it leads. */
function reachedBy(findings: readonly LineFindings[]): ReadonlyMap<string, { readonly from: Placed; readonly reaches: Placed }> {
  const found = new Map<string, { readonly from: Placed; readonly reaches: Placed }>();
  for (const { line, windows } of findings) {
    for (const { stretch, until, backups } of windows) {
      for (const backup of backups) {
        const { start, end } = backup;
        const lsn = end && consistentAt(line, backup);
        const from = { timeline: (end ?? start).timeline, lsn, time: momentOf(backup.entry) };
        found.set(backup.name, { from, reaches: { timeline: stretch.timeline, lsn: stretch.endLsn, time: until } });
      }
    }
  }
  return found;
}
