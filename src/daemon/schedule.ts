import type { SiteConfig } from '../config/load.ts';
import { instantOf, type WallMs, wallClock } from '../lib/time-zone.ts';

/** When base backups are taken by themselves. */
export interface Schedule {
  /** Null: never. */
  readonly intervalHours: number | null;
  /** By the clocks of `timeZone`; undefined: only the interval counts. */
  readonly hour: number | undefined;
  readonly minute: number | undefined;
  readonly timeZone: string;
}

/** A schedule by the clock. */
interface Times {
  readonly intervalMs: number;
  /** From midnight. */
  readonly timeOfDayMs: number;
  readonly timeZone: string;
}

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

export function scheduleOf(site: SiteConfig): Schedule {
  return {
    intervalHours: site.basebackup_interval_hours,
    hour: site.basebackup_hour ?? undefined,
    minute: site.basebackup_minute ?? undefined,
    timeZone: site.basebackup_time_zone,
  };
}

/**
 * The scheduled moment that `now` belongs to, as ISO text with `+00:00` (spec: `normalized-backup-time`): the last hour:minute,
 * moved on by whole intervals. Undefined where the schedule has no fixed time of day.
 */
export function normalizedBackupTime(schedule: Schedule, now: Date): string | undefined {
  return scheduledTime(schedule, now)?.toISOString().replace('.000Z', '+00:00');
}

/** The scheduled moment that `now` belongs to. */
export function scheduledTime(schedule: Schedule, now: Date): Date | undefined {
  const times = timesOf(schedule);
  return times && new Date(instantOf(periodOf(times, now.getTime()).wallMs, times.timeZone));
}

/** The next moment after `now` that belongs to another scheduled one. */
export function nextScheduledTime(schedule: Schedule, now: Date): Date | undefined {
  const times = timesOf(schedule);
  if (times === undefined) return undefined;
  const { anchorWallMs, wallMs } = periodOf(times, now.getTime());
  return new Date(instantOf(Math.min(wallMs + times.intervalMs, anchorWallMs + dayMs), times.timeZone));
}

/** The first hour:minute at `from` or after. */
export function firstTimeOfDay(schedule: Schedule, from: Date): Date | undefined {
  const times = timesOf(schedule);
  if (times === undefined) return undefined;
  const anchorWallMs = anchorOf(times, from.getTime());
  const anchorMs = instantOf(anchorWallMs, times.timeZone);
  return new Date(anchorMs === from.getTime() ? anchorMs : instantOf(anchorWallMs + dayMs, times.timeZone));
}

function timesOf({ intervalHours, hour, minute = 0, timeZone }: Schedule): Times | undefined {
  if (intervalHours === null || intervalHours <= 0 || hour === undefined) return undefined;
  return { intervalMs: intervalHours * hourMs, timeOfDayMs: (hour * 60 + minute) * 60_000, timeZone };
}

/** The last hour:minute that has come, today or yesterday. */
function anchorOf({ timeOfDayMs, timeZone }: Times, nowMs: number): WallMs {
  const wallMs = wallClock(nowMs, timeZone);
  const today = wallMs - (((wallMs % dayMs) + dayMs) % dayMs) + timeOfDayMs;
  return instantOf(today, timeZone) > nowMs ? today - dayMs : today;
}

/** The period of the day, counted from hour:minute by what clocks show, in which `now` lies. */
function periodOf(times: Times, nowMs: number): { readonly anchorWallMs: WallMs; readonly wallMs: WallMs } {
  const { intervalMs, timeZone } = times;
  const anchorWallMs = anchorOf(times, nowMs);
  const begins = (periods: number) => instantOf(anchorWallMs + periods * intervalMs, timeZone);
  let periods = Math.max(0, Math.floor((wallClock(nowMs, timeZone) - anchorWallMs) / intervalMs));
  // Clocks that were set in between make it one more or less.
  while (periods > 0 && begins(periods) > nowMs) periods--;
  while (begins(periods + 1) <= nowMs) periods++;
  return { anchorWallMs, wallMs: anchorWallMs + periods * intervalMs };
}
