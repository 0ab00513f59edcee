/** ISO 8601 with `T` or a space, optional fraction of a second, optional offset (`Z`, `+00:00`, `+0000`, `+00`). */
const pattern = /^(\d{4})-(\d{2})-(\d{2})[T ](\d{2}):(\d{2}):(\d{2})(?:[.,](\d{1,9}))?\s?(?:(Z)|([+-])(\d{2}):?(\d{2})?(?::?(\d{2}))?)?$/i;

/**
 * Reads the timestamps that any version of the original wrote into metadata. Without an offset they are UTC (that is what the writer's clock
 * was asked for). Digits below the millisecond are dropped. `undefined` where the text is no timestamp, also for a 30th of February.
 */
export function parseTimestamp(text: string): Date | undefined {
  const match = pattern.exec(text.trim());
  if (!match) return undefined;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [number, number, number, number, number, number];
  const milliseconds = Number((match[7] ?? '').padEnd(3, '0').slice(0, 3));
  if (month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || hour > 23 || minute > 59 || second > 60) return undefined;
  const local = new Date(0);
  local.setUTCFullYear(year, month - 1, day);
  local.setUTCHours(hour, minute, second, milliseconds);
  return new Date(local.getTime() - offsetMs(match));
}

function offsetMs(match: RegExpExecArray): number {
  const [hours, minutes, seconds] = match.slice(10, 13).map((part) => Number(part ?? 0)) as [number, number, number];
  return (match[9] === '-' ? -1 : 1) * ((hours * 60 + minutes) * 60 + seconds) * 1000;
}

function daysIn(year: number, month: number): number {
  return new Date(Date.UTC(year, month, 0)).getUTCDate();
}

/** As the original's `isoformat()`: `2026-11-22T23:39:52+00:00`, with six digits of a fraction where there is one. */
export function formatTimestamp(date: Date): string {
  const [seconds, fraction] = date.toISOString().slice(0, -1).split('.') as [string, string];
  return fraction === '000' ? `${seconds}+00:00` : `${seconds}.${fraction}000+00:00`;
}
