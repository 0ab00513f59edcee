import type { TimeWindow } from './window.ts';

/** A line of the scale; `label` is by the viewer's clock. */
export interface Tick {
  readonly at: number;
  readonly label: string;
  /** Begins a day, or a year where days are too many. */
  readonly isMain: boolean;
}

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

/** Steps within a day; each divides it. */
const stepsOfDay = [1, 2, 5, 10, 15, 30]
  .map((count) => count * second)
  .concat(
    [1, 2, 5, 10, 15, 30].map((count) => count * minute),
    [1, 2, 3, 6, 12].map((count) => count * hour),
  );
const stepsOfDays = [1, 2, 7, 14];
const stepsOfMonths = [1, 3, 6, 12, 60];

/** Made when it is first needed: each takes milliseconds. */
function labeller(options: Intl.DateTimeFormatOptions): { format(moment: number | Date): string } {
  let formatter: Intl.DateTimeFormat | undefined;
  return {
    format: (moment) => {
      formatter ??= new Intl.DateTimeFormat('en-GB', options);
      return formatter.format(moment);
    },
  };
}

const dateLabel = labeller({ day: 'numeric', month: 'short' });
const monthLabel = labeller({ month: 'short', year: 'numeric' });
const minuteLabel = labeller({ hour: '2-digit', minute: '2-digit' });
const secondLabel = labeller({ hour: '2-digit', minute: '2-digit', second: '2-digit' });

/** At most so many ticks at round times of the viewer's clock. */
export function ticksOf(window: TimeWindow, countMax: number): readonly Tick[] {
  const least = (window.to - window.from) / Math.max(1, countMax);
  const ofDay = stepsOfDay.find((step) => step >= least);
  if (ofDay !== undefined) return ticksOfDay(window, ofDay);
  const days = stepsOfDays.find((step) => step * day >= least);
  if (days !== undefined) return ticksOfDays(window, days);
  return ticksOfMonths(window, stepsOfMonths.find((step) => step * 28 * day >= least) ?? 120);
}

function ticksOfDay(window: TimeWindow, step: number): Tick[] {
  const ticks: Tick[] = [];
  for (let midnight = midnightOf(window.from); midnight <= window.to; midnight = addDays(midnight, 1)) {
    const end = Math.min(addDays(midnight, 1), window.to + 1);
    const first = Math.max(0, Math.ceil((window.from - midnight) / step) - 1);
    for (let number = first; ; number++) {
      const at = step < hour ? midnight + number * step : hoursAfter(midnight, number * step);
      if (at >= end) break;
      if (at < window.from || at <= (ticks.at(-1)?.at ?? Number.NEGATIVE_INFINITY)) continue;
      const isMain = at === midnight;
      ticks.push({ at, isMain, label: isMain ? dateLabel.format(at) : (step < minute ? secondLabel : minuteLabel).format(at) });
    }
  }
  return ticks;
}

function ticksOfDays(window: TimeWindow, step: number): Tick[] {
  const ticks: Tick[] = [];
  for (let at = midnightOf(window.from); at <= window.to; at = addDays(at, 1)) {
    const number = Math.round((at - new Date(at).getTimezoneOffset() * minute) / day);
    // Weeks begin on Mondays.
    if ((number + 3) % step === 0 && at >= window.from)
      ticks.push({ at, isMain: new Date(at).getDate() === 1, label: dateLabel.format(at) });
  }
  return ticks;
}

function ticksOfMonths(window: TimeWindow, step: number): Tick[] {
  const ticks: Tick[] = [];
  const start = new Date(window.from);
  for (let month = 0; ; month++) {
    const at = new Date(start.getFullYear(), start.getMonth() + month, 1);
    if (at.getTime() > window.to) return ticks;
    const number = at.getFullYear() * 12 + at.getMonth();
    if (number % step === 0 && at.getTime() >= window.from)
      ticks.push({ at: at.getTime(), isMain: at.getMonth() === 0, label: monthLabel.format(at) });
  }
}

function midnightOf(ms: number): number {
  return new Date(ms).setHours(0, 0, 0, 0);
}

/** By the clock on the wall: noon is noon, also on the day on which clocks are changed. */
function hoursAfter(midnight: number, ms: number): number {
  const date = new Date(midnight);
  return new Date(date.getFullYear(), date.getMonth(), date.getDate(), 0, 0, 0, ms).getTime();
}

/** By the calendar: some days have 23 or 25 hours. */
function addDays(ms: number, count: number): number {
  const date = new Date(ms);
  return new Date(date.getFullYear(), date.getMonth(), date.getDate() + count).getTime();
}
