import { lastOf, numberOf, type SimulatedSite, type TrueBackup } from './simulated-site.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

/** Why a base backup must not go, by the rules as docs/config.md tells them, and by the truth. Knows nothing of how retention decides. */
export function reasonsToStay(site: SimulatedSite, backup: TrueBackup, nowMs: number): readonly string[] {
  const { rules } = site;
  const good = site.good;
  for (const each of good) each.wasGood = true;
  const newer = good.filter((each) => each !== backup && (each.completedMs ?? 0) > (backup.completedMs ?? 0));
  const reasons: string[] = [];
  if ([...site.pins].some((pin) => pin.backup === backup && pin.untilMs > nowMs)) reasons.push('somebody asked to keep it');
  if (newer.length === 0) reasons.push('there is no newer one that can be restored');
  if (!site.isGood(backup)) return reasons;
  const begin = nowMs - (rules.recovery_window_days ?? 0) * dayMs;
  if (rules.recovery_window_days !== null && !newer.some(({ endedMs }) => endedMs <= begin)) reasons.push('the recovery window needs it');
  if (isWithinLimits(site, backup, newer.length, nowMs)) reasons.push('count or age keep it');
  return [...reasons, ...periodsOf(site, backup)];
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

/** How many there may be once all is well. */
export function backupsMax({ rules, pins }: SimulatedSite): number {
  const perDay = 24 / rules.basebackup_interval_hours;
  const { keep } = rules;
  const count = rules.basebackup_count ?? 0;
  const byTime = ((rules.recovery_window_days ?? 0) + (rules.basebackup_age_days_max ?? 0) + 2) * perDay;
  const kept = keep === null ? 0 : keep.daily + keep.weekly + keep.monthly;
  return Math.ceil((Math.max(count, byTime) + rules.basebackup_count_min + kept) * 1.5) + pins.size + 4;
}

function isWithinLimits({ rules }: SimulatedSite, { beganMs }: TrueBackup, newer: number, nowMs: number): boolean {
  const { basebackup_count: count, basebackup_age_days_max: age, basebackup_count_min: least } = rules;
  if (count !== null && newer >= count) return false;
  if (age !== null && least > 0 && newer >= least) return nowMs - beganMs - rules.basebackup_interval_hours * hourMs <= age * dayMs;
  return count !== null || newer < Math.max(least, 1);
}

function periodsOf(site: SimulatedSite, backup: TrueBackup): string[] {
  const { keep } = site.rules;
  if (keep === null) return [];
  const ever = [...site.backups.values()].filter(({ wasGood }) => wasGood).toSorted((a, b) => a.beganMs - b.beganMs);
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
