import { lastOf, numberOf, type SimulatedSite, type TrueBackup } from './simulated-site.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

/** Why a base backup must not go, by the rules as docs/config.md tells them, and by the truth. Knows nothing of how retention decides. */
export function reasonsToStay(site: SimulatedSite, backup: TrueBackup, nowMs: number): readonly string[] {
  const { good } = site;
  for (const each of good) each.wasGood = true;
  const ever = [...site.backups.values()].filter(({ wasGood }) => wasGood);
  const { always, byRules } = reasonsAmong({ site, good, ever }, backup, nowMs);
  return site.isGood(backup) ? [...always, ...byRules] : always;
}

/**
 * Whether a base backup may still be there once all has been well for long: because the rules want it, by the truth or by as much of it as is told. What cannot be
 * restored counts like others, but is no reason for one of them to go.
 */
export function mayStay(site: SimulatedSite, backup: TrueBackup, nowMs: number): boolean {
  const { complete, good } = site;
  // Without new ones nothing grows old.
  const timeMs = Math.min(nowMs, Math.max(...complete.map(({ completedMs }) => completedMs ?? 0)));
  const told = good.filter((each) => isTold(site, each));
  const doubtful = good.filter((each) => !told.includes(each));
  return [good, told, doubtful].some((some) => {
    const { always, byRules } = reasonsAmong({ site, good: some, ever: some }, backup, timeMs);
    const reasons = some === doubtful ? byRules.filter((reason) => reason.startsWith('keep:')) : [...always, ...byRules];
    return reasons.length > 0;
  });
}

/** Whether anything may go at all: nothing does as long as it is not told that the newest base backup can be restored. */
export function mayAnythingGo(site: SimulatedSite): boolean {
  const newest = site.complete.toSorted((a, b) => a.beganMs - b.beganMs).at(-1);
  return newest !== undefined && site.isGood(newest) && isTold(site, newest);
}

/** Whether metadata prove that it can be restored: its own, or those of a later one of the primary. */
function isTold(site: SimulatedSite, { isEndTold, startLsn, timeline, completedMs = 0 }: TrueBackup): boolean {
  const proves = (other: TrueBackup) =>
    other.isOfPrimary &&
    other.beganMs >= completedMs + minuteMs &&
    other.endLsn !== undefined &&
    site.cluster.leadsTo({ timeline, lsn: startLsn }, other.timeline) &&
    site.hasSegments(numberOf(startLsn), lastOf(other.endLsn), other.timeline);
  return isEndTold || site.complete.some(proves);
}

interface Known {
  readonly site: SimulatedSite;
  /** What counts as restorable. */
  readonly good: readonly TrueBackup[];
  /** What is or was so. */
  readonly ever: readonly TrueBackup[];
}

function reasonsAmong(
  { site, good, ever }: Known,
  backup: TrueBackup,
  nowMs: number,
): { readonly always: readonly string[]; readonly byRules: readonly string[] } {
  const { rules } = site;
  const newer = good.filter((each) => each !== backup && (each.completedMs ?? 0) > (backup.completedMs ?? 0));
  const begin = nowMs - (rules.recovery_window_days ?? 0) * dayMs;
  const isPinned = [...site.pins].some((pin) => pin.backup === backup && pin.untilMs > nowMs);
  const isWithinWindow = rules.recovery_window_days !== null && !newer.some(({ endedMs }) => endedMs <= begin);
  return {
    always: [
      ...(isPinned ? ['somebody asked to keep it'] : []),
      ...(newer.length === 0 ? ['there is no newer one that can be restored'] : []),
    ],
    byRules: [
      ...(isWithinWindow ? ['the recovery window needs it'] : []),
      ...(isWithinLimits(site, backup, newer.length, nowMs) ? ['count or age keep it'] : []),
      ...periodsOf(site, backup, ever),
    ],
  };
}

/** Whether all that follows it must stay for a base backup, or only what makes it consistent. */
export function needsAllThatFollows(site: SimulatedSite, backup: TrueBackup, nowMs: number): boolean {
  if (site.rules.keep === null || backup.isRunning) return true;
  return reasonsToStay(site, backup, nowMs).some((reason) => !reason.startsWith('keep:'));
}

/** Which base backup, complete or running, needs a segment. */
export function neederOf(site: SimulatedSite, timeline: number, number: bigint, nowMs: number): TrueBackup | undefined {
  const { cluster } = site;
  return [...site.backups.values()].find((backup) => {
    const isThere = backup.isRunning || (site.store.keys.has(backup.mainKey) && site.isGood(backup));
    if (!isThere || number < numberOf(backup.startLsn)) return false;
    if (cluster.timelineAt(number, site.lineOf(backup)) !== timeline) return false;
    if (backup.endLsn !== undefined && number <= lastOf(backup.endLsn)) return true;
    return needsAllThatFollows(site, backup, nowMs);
  });
}

function isWithinLimits({ rules }: SimulatedSite, { beganMs }: TrueBackup, newer: number, nowMs: number): boolean {
  const { basebackup_count: count, basebackup_age_days_max: age, basebackup_count_min: least } = rules;
  if (count !== null && newer >= count) return false;
  if (age !== null && least > 0 && newer >= least) return nowMs - beganMs - rules.basebackup_interval_hours * hourMs <= age * dayMs;
  return count !== null || newer < Math.max(least, 1);
}

function periodsOf(site: SimulatedSite, backup: TrueBackup, known: readonly TrueBackup[]): string[] {
  const { keep } = site.rules;
  if (keep === null) return [];
  const ever = known.toSorted((a, b) => a.beganMs - b.beganMs);
  const units = [
    ['day', keep.daily, (date: Date) => date.toISOString().slice(0, 10)],
    ['week', keep.weekly, (date: Date) => String(Math.floor((date.getTime() / dayMs + 3) / 7))],
    ['month', keep.monthly, (date: Date) => date.toISOString().slice(0, 7)],
  ] as const;
  return units.flatMap(([unit, many, periodOf]) => {
    const last = new Map(ever.map((each) => [periodOf(each.startTime), each]));
    const newest = [...last.keys()].toSorted().slice(-many || ever.length);
    const isLast = many > 0 && newest.some((period) => last.get(period) === backup);
    return isLast ? [`keep: it is the last of its ${unit}`] : [];
  });
}
