import type { Lsn } from '../../postgres/lsn.ts';
import type { BasebackupEntry } from '../basebackup-entry.ts';
import type { NeedyBackup } from '../needy-backups.ts';
import type { ServerTimes, WalTimes } from './facts.ts';
import { clockSkewMsMax, placementOn } from './line-placement.ts';
import { clockMsMax } from './server-samples.ts';
import type { StoredLine, Stretch } from './stored-line.ts';
import type { WalBackup } from './wal-backup.ts';

/** Moments of a line that can be restored to, from the first to the last without a gap. */
export interface LineWindow {
  readonly stretch: Stretch;
  readonly from: Date;
  /** The newest second of which all WAL is provably stored; undefined where nothing tells. */
  readonly until: Date | undefined;
  /** As the indexes of the WAL tell. */
  readonly lastCommit: Date | undefined;
  /** Those that reach it, in the order of the WAL. */
  readonly backups: readonly WalBackup[];
}

/** What is known of the base backups from which recovery can follow a line. */
export interface LineFindings {
  readonly line: StoredLine;
  /** Oldest first; what lies between two of them cannot be restored. */
  readonly windows: readonly LineWindow[];
  /** Of which it cannot be told whether all the WAL that they need is stored, and where that begins. */
  readonly unproven: readonly { readonly backup: WalBackup; readonly stretch: Stretch }[];
}

export interface TimeEvidence {
  readonly servers: ServerTimes;
  readonly times: WalTimes;
}

/** A commit is stamped a moment before it has its place in the WAL; and a clock that was set back by little is not noticed. */
const settleMs = 1000 + clockMsMax;

export function findWindows(line: StoredLine, backups: readonly WalBackup[], evidence: TimeEvidence): LineFindings {
  const byStretch = new Map<Stretch, WalBackup[]>();
  const doubtful: { readonly backup: WalBackup; readonly stretch: Stretch }[] = [];
  for (const backup of backups) {
    const stretch = line.stretchOf(backup);
    const placement = stretch === undefined ? 'beside' : placementOn(line, backup, evidence.times);
    if (stretch === undefined || placement === 'beside') continue;
    if (placement === 'doubtful') {
      doubtful.push({ backup, stretch });
      continue;
    }
    const here = byStretch.get(stretch);
    if (here === undefined) byStretch.set(stretch, [backup]);
    else here.push(backup);
  }
  const judged = [...byStretch].map(([stretch, here]) => judge(line, stretch, here, evidence));
  return {
    line,
    windows: judged.flatMap(({ window }) => window ?? []).toSorted((a, b) => Number(a.stretch.first - b.stretch.first)),
    unproven: [...doubtful, ...judged.flatMap(({ unproven }) => unproven)],
  };
}

/**
 * From where on it can be restored on this line, in a segment's precision: where in its last segment it becomes consistent is not noted. Before what it was told to
 * leave, if the line leaves its timeline there.
 */
export function consistentAt(line: StoredLine, { start, end = start }: NeedyBackup): Lsn {
  const behind = line.startOf(end.number + 1n);
  const left = line.partOf(end.timeline)?.end ?? behind;
  return behind < left ? behind : left;
}

/** The newest whole second by which all had been written that was stamped before this time; nothing where that is before the window. */
export function settled(time: Date, from: Date): Date[] {
  const moment = new Date(Math.floor((time.getTime() - settleMs) / 1000) * 1000);
  return moment >= from ? [moment] : [];
}

export function latest(dates: readonly (Date | undefined)[]): Date | undefined {
  return dates.reduce<Date | undefined>(
    (last, date) => (date !== undefined && (last === undefined || date > last) ? date : last),
    undefined,
  );
}

/** The first moment to which recovery can go, as a restore takes it. */
export function momentOf({ endTime, startTime }: Pick<BasebackupEntry, 'endTime' | 'startTime'>): Date {
  return endTime ?? startTime;
}

interface Judged {
  readonly window: LineWindow | undefined;
  readonly unproven: LineFindings['unproven'];
}

/** `here`: whose WAL begins in the stretch. */
function judge(line: StoredLine, stretch: Stretch, here: readonly WalBackup[], evidence: TimeEvidence): Judged {
  const wholeAt = evidence.servers.samples.findLast((sample) => line.coversWhole(stretch, sample))?.time;
  const others = startsOf(here);
  const fates = here.map((backup) => ({ backup, fate: fateOf(backup, stretch, wholeAt, others) }));
  const unproven = fates.filter(({ fate }) => fate === 'unproven').map(({ backup }) => ({ backup, stretch }));
  const backups = fates.filter(({ fate }) => fate === 'whole').map(({ backup }) => backup);
  const [from] = backups.map(({ entry }) => momentOf(entry)).toSorted((a, b) => a.getTime() - b.getTime());
  if (from === undefined) return { window: undefined, unproven };
  const inOrder = backups.toSorted((a, b) => Number(consistentAt(line, a) - consistentAt(line, b)));
  const lastCommit = evidence.times.lastCommit({ timeline: stretch.timeline, number: stretch.end - 1n });
  return {
    window: { stretch, from, until: untilOf({ line, stretch, backups, from, lastCommit }, evidence), lastCommit, backups: inOrder },
    unproven,
  };
}

type Unjudged = Pick<LineWindow, 'stretch' | 'backups' | 'from' | 'lastCommit'> & { readonly line: StoredLine };

/** As the newest sample tells that is covered, the index of the last WAL, or the end of a base backup. */
function untilOf({ line, stretch, backups, from, lastCommit }: Unjudged, { servers }: TimeEvidence): Date | undefined {
  const covered = servers.samples.findLast((sample) => line.covers(stretch, sample));
  const ends = backups.filter((backup) => isTimely(backup, line, servers)).flatMap(({ entry }) => entry.endTime ?? []);
  const noted = lastCommit === undefined || !isUnique(lastCommit, stretch.endLsn, servers) ? [] : settled(lastCommit, from);
  return latest([...(covered === undefined ? [] : settled(covered.time, from)), ...noted, ...ends]);
}

/** Whether all that was committed by its end time lies within the WAL that it needs, and no later commit can have been stamped with an earlier time. */
function isTimely({ end, entry }: WalBackup, line: StoredLine, servers: ServerTimes): boolean {
  const { endTime } = entry;
  return end !== undefined && endTime !== undefined && endsWithCommit(entry) && isUnique(endTime, line.startOf(end.number), servers);
}

/** No commit from behind this position can have been stamped with an earlier time, as far as is known. */
function isUnique(time: Date, lsn: Lsn, { clockSetBack }: ServerTimes): boolean {
  return clockSetBack === undefined || time < clockSetBack.to || lsn > clockSetBack.lsn;
}

/** In these modes it is over the replication protocol that a base backup ends, and a clock of ours tells when, a little later. */
const modesByOurClock: readonly string[] = ['basic', 'pipe', 'stream'];

/** In the others its own session committed last, on the primary; a standby may have been behind. */
function endsWithCommit({ backupFrom, metadata }: BasebackupEntry): boolean {
  return backupFrom !== 'standby' && !modesByOurClock.includes(metadata['basebackup-mode'] ?? '');
}

type Fate = 'whole' | 'unproven' | 'lacking';

/** Moments by which all had been written that is stored. A base backup from a standby that was behind tells of none. */
function startsOf(here: readonly WalBackup[]): readonly Date[] {
  return here.filter(({ entry }) => entry.backupFrom !== 'standby').map(({ startTime }) => startTime);
}

/** Where a base backup does not say where its WAL ends, something that certainly came later must be covered. */
function fateOf(backup: WalBackup, stretch: Stretch, wholeAt: Date | undefined, others: readonly Date[]): Fate {
  const { end, completed } = backup;
  if (end !== undefined) return end.number < stretch.end ? 'whole' : 'lacking';
  const certainlyAfter = completed.getTime() + clockSkewMsMax;
  const isOver = [...others, ...(wholeAt ? [wholeAt] : [])].some((time) => time.getTime() >= certainlyAfter);
  return isOver ? 'whole' : 'unproven';
}
