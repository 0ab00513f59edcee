import type { BasebackupEntry } from '../../catalog/basebackup-entry.ts';
import type { NeedyBackup } from '../../catalog/needy-backups.ts';
import { needyBackups } from '../../catalog/needy-backups.ts';
import { type ClockSetBack, clockMsMax, type ServerSample } from '../../catalog/recoverability/server-samples.ts';
import type { StoredLine, Stretch } from './stored-line.ts';

/** Moments that can be restored to, from the first to the last without a gap. */
export interface RestorableWindow {
  readonly from: Date;
  /** The newest second of which all WAL is provably stored; undefined where nothing tells. */
  readonly until: Date | undefined;
  /** Names of the base backups that reach it, oldest first. */
  readonly basebackups: readonly string[];
  /** The WAL behind it; undefined where the base backup carries its own. */
  readonly stretch: Stretch | undefined;
}

/** What is known of the base backups that are complete. */
export interface Restorability {
  /** Oldest first; what lies between two of them cannot be restored. */
  readonly windows: readonly RestorableWindow[];
  /** Of which it cannot be told whether all the WAL that they need is stored. */
  readonly unproven: readonly string[];
  /** Of which WAL is missing that they need. */
  readonly lacking: readonly string[];
}

/** What is known of the time at the server. */
export interface ServerTimes {
  readonly samples: readonly ServerSample[];
  readonly clockSetBack: ClockSetBack | undefined;
}

/** A commit is stamped a moment before it has its place in the WAL; and a clock that was set back by little is not noticed. */
const settleMs = 1000 + clockMsMax;
/** The clocks of server and store may differ. */
const clockSkewMsMax = 60_000;

/**
 * To which moments the base backups can be restored. No clock, no store: what is not certain from the objects and samples given is not claimed. Later this is to
 * tell the windows of every timeline; now those of the line that leads to the site's server.
 */
export function restorabilityOf(
  entries: readonly BasebackupEntry[],
  line: StoredLine | undefined,
  segmentBytes: number | undefined,
  servers: ServerTimes,
): Restorability {
  const alone = entries.filter(carriesItsWal).map(windowOfOne);
  const needing = entries.filter((entry) => !carriesItsWal(entry)).map(({ name }) => name);
  if (line === undefined || segmentBytes === undefined) return { windows: alone, unproven: [], lacking: needing };
  const byName = new Map(entries.map((entry) => [entry.name, entry]));
  const needy = needyBackups(entries, segmentBytes);
  const evidence = { line, servers, byName, segmentBytes };
  const found = [...byStretch(needy, line)].map(([stretch, here]) => judge(stretch, here, evidence));
  const windows = found.flatMap(({ window }) => (window === undefined ? [] : [window]));
  const placeable = new Set(needy.map(({ name }) => name));
  const ofOtherSegments = needing.filter((name) => !placeable.has(name));
  const unproven = [...ofOtherSegments, ...found.flatMap((each) => each.unproven)];
  const placed = new Set([...windows.flatMap(({ basebackups }) => basebackups), ...unproven]);
  return {
    windows: [...alone, ...windows].toSorted((a, b) => a.from.getTime() - b.from.getTime()),
    unproven,
    lacking: needing.filter((name) => !placed.has(name)),
  };
}

interface Evidence {
  readonly line: StoredLine;
  readonly servers: ServerTimes;
  readonly byName: ReadonlyMap<string, BasebackupEntry>;
  readonly segmentBytes: number;
}

interface Judged {
  readonly window: RestorableWindow | undefined;
  readonly unproven: readonly string[];
}

function byStretch(needy: readonly NeedyBackup[], line: StoredLine): ReadonlyMap<Stretch, readonly NeedyBackup[]> {
  const placed = new Map<Stretch, NeedyBackup[]>();
  for (const backup of needy) {
    const stretch = line.stretchOf(backup);
    if (stretch === undefined) continue;
    const here = placed.get(stretch) ?? [];
    here.push(backup);
    placed.set(stretch, here);
  }
  return placed;
}

/** `here`: whose WAL begins in the stretch. */
function judge(stretch: Stretch, here: readonly NeedyBackup[], evidence: Evidence): Judged {
  const { line, servers, byName } = evidence;
  const wholeAt = servers.samples.findLast((sample) => line.coversWhole(stretch, sample))?.time;
  const fates = here.map((backup) => ({ backup, fate: fateOf(backup, stretch, wholeAt, later(here, byName)) }));
  const unproven = fates.filter(({ fate }) => fate === 'unproven').map(({ backup }) => backup.name);
  const whole = fates.filter(({ fate }) => fate === 'whole').map(({ backup }) => backup);
  const entries = whole.flatMap(({ name }) => byName.get(name) ?? []);
  const [from] = entries.map(momentOf).toSorted((a, b) => a.getTime() - b.getTime());
  if (from === undefined) return { window: undefined, unproven };
  const basebackups = whole.map(({ name }) => name);
  return { window: { from, until: untilOf(stretch, whole, from, evidence), basebackups, stretch }, unproven };
}

/** As the newest sample tells that is covered, or the end of a base backup. */
function untilOf(stretch: Stretch, whole: readonly NeedyBackup[], from: Date, evidence: Evidence): Date | undefined {
  const { line, servers, byName } = evidence;
  const covered = servers.samples.findLast((sample) => line.covers(stretch, sample));
  const ends = whole.filter((backup) => isTimely(backup, evidence)).flatMap(({ name }) => byName.get(name)?.endTime ?? []);
  return latest([...(covered === undefined ? [] : settled(covered, from)), ...ends]);
}

/** Whether all that was committed by its end time lies within the WAL that it needs, and no later commit can have been stamped with an earlier time. */
function isTimely({ name, end }: NeedyBackup, { servers: { clockSetBack }, byName, segmentBytes }: Evidence): boolean {
  const entry = byName.get(name);
  const endTime = entry?.endTime;
  if (end === undefined || entry === undefined || endTime === undefined || !endsWithCommit(entry)) return false;
  if (clockSetBack === undefined || endTime < clockSetBack.to) return true;
  return end.number * BigInt(segmentBytes) > clockSetBack.lsn;
}

/** In these modes it is over the replication protocol that a base backup ends, and a clock of ours tells when, a little later. */
const modesByOurClock: readonly string[] = ['basic', 'pipe', 'stream'];

/** In the others its own session committed last, on the primary; a standby may have been behind. */
function endsWithCommit({ backupFrom, metadata }: BasebackupEntry): boolean {
  return backupFrom !== 'standby' && !modesByOurClock.includes(metadata['basebackup-mode'] ?? '');
}

type Fate = 'whole' | 'unproven' | 'lacking';

/** Moments by which all had been written that is stored. A base backup from a standby that was behind tells of none. */
function later(here: readonly NeedyBackup[], byName: Evidence['byName']): readonly Date[] {
  return here.filter(({ name }) => byName.get(name)?.backupFrom !== 'standby').map(({ startTime }) => startTime);
}

/** Where a base backup does not say where its WAL ends, something that certainly came later must be covered. */
function fateOf(backup: NeedyBackup, stretch: Stretch, wholeAt: Date | undefined, others: readonly Date[]): Fate {
  const { end, completed } = backup;
  if (end !== undefined) return end.number < stretch.end ? 'whole' : 'lacking';
  const certainlyAfter = completed.getTime() + clockSkewMsMax;
  const isOver = [...others, ...(wholeAt ? [wholeAt] : [])].some((time) => time.getTime() >= certainlyAfter);
  return isOver ? 'whole' : 'unproven';
}

/** Nothing where that is before the window. */
function settled({ time }: ServerSample, from: Date): Date[] {
  const moment = new Date(Math.floor((time.getTime() - settleMs) / 1000) * 1000);
  return moment >= from ? [moment] : [];
}

/** Its WAL ends with it, so there is one moment only. */
function windowOfOne(entry: BasebackupEntry): RestorableWindow {
  const moment = momentOf(entry);
  return { from: moment, until: moment, basebackups: [entry.name], stretch: undefined };
}

function carriesItsWal({ metadata }: BasebackupEntry): boolean {
  return metadata['active-backup-mode'] === 'standalone_hot_backup';
}

/** The first moment to which recovery can go, as a restore takes it. */
function momentOf({ endTime, startTime }: BasebackupEntry): Date {
  return endTime ?? startTime;
}

function latest(dates: readonly Date[]): Date | undefined {
  return dates.reduce<Date | undefined>((last, date) => (last === undefined || date > last ? date : last), undefined);
}
