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

interface CalendarDay {
  readonly year: number;
  readonly month: number;
  readonly day: number;
}

const dayMs = 86_400_000;
const periods: readonly Period[] = ['daily', 'weekly', 'monthly', 'yearly'];

const names: Readonly<Record<Period, (day: CalendarDay) => string>> = {
  daily: ({ year, month, day }) => `${year}-${two(month)}-${two(day)}`,
  weekly: isoWeek,
  monthly: ({ year, month }) => `${year}-${two(month)}`,
  yearly: ({ year }) => String(year),
};

/**
 * Which base backups are the last ones of the last so many days, weeks, months and years that have any, and of which. Periods without a backup
 * do not count, so that neither an outage nor a wrong clock makes anything go. `backups`: ascending.
 */
export function keptByPeriod(backups: readonly Timed[], rule: KeepRule, timeZone: string): ReadonlyMap<string, readonly string[]> {
  const calendar = calendarOf(timeZone);
  const days = backups.map(({ name, time }) => ({ name, day: calendar(time) })).toReversed();
  const kept = new Map<string, string[]>();
  for (const period of periods) {
    const seen = new Set<string>();
    for (const { name, day } of days) {
      if (seen.size >= rule[period]) break;
      const label = names[period](day);
      if (seen.has(label)) continue;
      seen.add(label);
      kept.set(name, [...(kept.get(name) ?? []), `${period} ${label}`]);
    }
  }
  return kept;
}

/** Whether it is the name of a time zone, such as `Europe/Helsinki`. */
export function isTimeZone(name: string): boolean {
  try {
    calendarOf(name);
    return true;
  } catch {
    return false;
  }
}

function calendarOf(timeZone: string): (time: Date) => CalendarDay {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    calendar: 'gregory',
    numberingSystem: 'latn',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
  });
  return (time) => {
    const parts = new Map(format.formatToParts(time).map(({ type, value }) => [type, Number(value)]));
    return { year: parts.get('year') ?? 0, month: parts.get('month') ?? 0, day: parts.get('day') ?? 0 };
  };
}

/** As ISO 8601 counts: weeks begin on Monday, and belong to the year that has their Thursday. */
function isoWeek({ year, month, day }: CalendarDay): string {
  const date = new Date(Date.UTC(year, month - 1, day));
  const thursday = new Date(date.getTime() + (4 - (date.getUTCDay() || 7)) * dayMs);
  const weekYear = thursday.getUTCFullYear();
  const week = Math.floor((thursday.getTime() - Date.UTC(weekYear, 0, 1)) / dayMs / 7) + 1;
  return `${weekYear}-W${two(week)}`;
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}
