import { wallClock } from '../lib/time-zone.ts';

/** For how many days, weeks, months and years one base backup each is kept; names as in the configuration. */
export interface KeepRule {
  readonly daily: number;
  readonly weekly: number;
  readonly monthly: number;
  readonly yearly: number;
}

export type Period = keyof KeepRule;

/** A base backup and when it was taken. */
export interface Timed {
  readonly name: string;
  readonly time: Date;
}

const dayMs = 86_400_000;
const periods: readonly Period[] = ['daily', 'weekly', 'monthly', 'yearly'];

/** Of what a clock on the wall shows. */
const labels: Readonly<Record<Period, (wall: Date) => string>> = {
  daily: (wall) => wall.toISOString().slice(0, 10),
  weekly: isoWeek,
  monthly: (wall) => wall.toISOString().slice(0, 7),
  yearly: (wall) => wall.toISOString().slice(0, 4),
};

/**
 * Which base backups are the last ones of the last so many days, weeks, months and years that have any, and of which. Periods without a backup
 * do not count, so that neither an outage nor a wrong clock makes anything go. `backups`: ascending.
 */
export function keptByPeriod(backups: readonly Timed[], rule: KeepRule, timeZone: string): ReadonlyMap<string, readonly string[]> {
  const walls = backups.map(({ name, time }) => ({ name, wall: new Date(wallClock(time.getTime(), timeZone)) })).toReversed();
  const kept = new Map<string, string[]>();
  for (const period of periods) {
    const seen = new Set<string>();
    for (const { name, wall } of walls) {
      if (seen.size >= rule[period]) break;
      const label = labels[period](wall);
      if (seen.has(label)) continue;
      seen.add(label);
      kept.set(name, [...(kept.get(name) ?? []), `${period} ${label}`]);
    }
  }
  return kept;
}

/** As ISO 8601 counts: weeks begin on Monday, and belong to the year that has their Thursday. */
function isoWeek(wall: Date): string {
  const thursday = new Date(wall.getTime() + (4 - (wall.getUTCDay() || 7)) * dayMs);
  const weekYear = thursday.getUTCFullYear();
  const week = Math.floor((thursday.getTime() - Date.UTC(weekYear, 0, 1)) / dayMs / 7) + 1;
  return `${weekYear}-W${String(week).padStart(2, '0')}`;
}
