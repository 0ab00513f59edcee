const dayMs = 86_400_000;
const formats = new Map<string, Intl.DateTimeFormat>();

/** What a clock on the wall shows, as the milliseconds at which one in Greenwich shows the same. */
export type WallMs = number;

/** Whether it is a name of the IANA database, such as `Europe/Helsinki`. */
export function isTimeZone(name: string): boolean {
  try {
    formatOf(name);
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

export function wallClock(instantMs: number, timeZone: string): WallMs {
  const field: Record<string, number> = {};
  for (const { type, value } of formatOf(timeZone).formatToParts(instantMs)) field[type] = Number(value);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = field;
  const fractionMs = ((instantMs % 1000) + 1000) % 1000;
  return Date.UTC(year, month - 1, day, hour, minute, second) + fractionMs;
}

/** When clocks show that: once, or twice where they are set back in between, the first time first; never, where they are set forward over it. */
export function instantsOf(wallMs: WallMs, timeZone: string): number[] {
  const around = [wallMs - dayMs, wallMs + dayMs].map((ms) => wallMs - offsetMs(ms, timeZone));
  return [...new Set(around)].filter((instantMs) => wallClock(instantMs, timeZone) === wallMs).toSorted((a, b) => a - b);
}

/**
 * When clocks show that. What they show twice, because they are set back in between, is the first time; what they never show, because they are set forward over
 * it, is as long after the last moment before that as it would have been.
 */
export function instantOf(wallMs: WallMs, timeZone: string): number {
  const [first] = instantsOf(wallMs, timeZone);
  return first ?? wallMs - offsetMs(wallMs - dayMs, timeZone);
}

function offsetMs(instantMs: number, timeZone: string): number {
  return wallClock(instantMs, timeZone) - instantMs;
}

function formatOf(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone);
  if (known !== undefined) return known;
  const numeric = { year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric' } as const;
  const format = new Intl.DateTimeFormat('en-US', { timeZone, hourCycle: 'h23', ...numeric });
  formats.set(timeZone, format);
  return format;
}
