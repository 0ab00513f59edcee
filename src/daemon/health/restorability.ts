import type { BasebackupEntry } from '../../catalog/basebackup-entry.ts';
import type { NeedyBackup } from '../../wal/gaps/gaps.ts';
import { needyBackups } from '../../wal/gaps/needy-backups.ts';
import type { ServerSample } from './server-samples.ts';
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

/** A commit is stamped before its place in the WAL is known, and may be acknowledged before it is flushed (`synchronous_commit = off`). */
const settleMs = 1000;
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
  samples: readonly ServerSample[],
): Restorability {
  const alone = entries.filter(carriesItsWal).map(windowOfOne);
  const needing = entries.filter((entry) => !carriesItsWal(entry)).map(({ name }) => name);
  if (line === undefined || segmentBytes === undefined) return { windows: alone, unproven: [], lacking: needing };
  const byName = new Map(entries.map((entry) => [entry.name, entry]));
  const needy = needyBackups(entries, segmentBytes);
  const found = line.stretches.map((stretch) => judge(stretch, needy, { line, samples, byName, segmentBytes }));
  const windows = found.flatMap(({ window }) => (window === undefined ? [] : [window]));
  const ofOtherSegments = needing.filter((name) => !needy.some((backup) => backup.name === name));
  const unproven = [...ofOtherSegments, ...found.flatMap((each) => each.unproven)];
  const placed = new Set([...windows.flatMap(({ basebackups }) => basebackups), ...unproven]);
  return {
    windows: [...alone, ...windows].toSorted((a, b) => endOf(a) - endOf(b)),
    unproven,
    lacking: needing.filter((name) => !placed.has(name)),
  };
}

interface Evidence {
  readonly line: StoredLine;
  readonly samples: readonly ServerSample[];
  readonly byName: ReadonlyMap<string, BasebackupEntry>;
  readonly segmentBytes: number;
}

interface Judged {
  readonly window: RestorableWindow | undefined;
  readonly unproven: readonly string[];
}

function judge(stretch: Stretch, needy: readonly NeedyBackup[], evidence: Evidence): Judged {
  const { line, samples, byName } = evidence;
  const here = needy.filter((backup) => line.stretchOf(backup) === stretch);
  const covered = samples.findLast((sample) => line.covers(stretch, sample));
  const fates = here.map((backup) => ({ name: backup.name, fate: fateOf(backup, stretch, here, covered) }));
  const whole = fates.filter(({ fate }) => fate === 'whole').map(({ name }) => name);
  const ends = whole.flatMap((name) => byName.get(name) ?? []).map(momentOf);
  const [from] = ends.toSorted((a, b) => a.getTime() - b.getTime());
  const unproven = fates.filter(({ fate }) => fate === 'unproven').map(({ name }) => name);
  if (from === undefined) return { window: undefined, unproven };
  const wholeWithEnd = here.filter(({ name, end }) => end !== undefined && whole.includes(name));
  const until = latest([...settled(covered), ...wholeWithEnd.flatMap(({ name }) => byName.get(name)?.endTime ?? [])]);
  return { window: { from, until: until && boundedBy(until, samples, stretch, line), basebackups: whole, stretch }, unproven };
}

type Fate = 'whole' | 'unproven' | 'lacking';

/** Where a base backup does not say where its WAL ends, something that certainly came later must be covered. */
function fateOf(backup: NeedyBackup, stretch: Stretch, others: readonly NeedyBackup[], covered: ServerSample | undefined): Fate {
  const { end, completed } = backup;
  if (end !== undefined) return end.number < stretch.end ? 'whole' : 'lacking';
  const certainlyAfter = completed.getTime() + clockSkewMsMax;
  const isOver = others.some(({ startTime }) => startTime.getTime() >= certainlyAfter) || (covered?.time.getTime() ?? 0) >= certainlyAfter;
  return isOver ? 'whole' : 'unproven';
}

function settled(sample: ServerSample | undefined): Date[] {
  return sample === undefined ? [] : [new Date(Math.floor((sample.time.getTime() - settleMs) / 1000) * 1000)];
}

/** What the server had not written yet cannot be claimed by any other clock either. */
function boundedBy(until: Date, samples: readonly ServerSample[], stretch: Stretch, line: StoredLine): Date {
  const behind = samples.find((sample) => line.includes(sample) && sample.lsn > stretch.endLsn);
  return behind !== undefined && behind.time < until ? behind.time : until;
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

function endOf({ from, until = from }: RestorableWindow): number {
  return until.getTime();
}

function latest(dates: readonly Date[]): Date | undefined {
  return dates.reduce<Date | undefined>((last, date) => (last === undefined || date > last ? date : last), undefined);
}
