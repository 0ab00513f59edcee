import { firstTimeOfDay, nextScheduledTime, normalizedBackupTime, type Schedule, scheduledTime } from './schedule.ts';

export type BackupReason = 'scheduled' | 'requested';

/** What the scheduler needs to know of a backup that exists. */
export interface BackupView {
  readonly startTime: Date;
  readonly decisionTime: Date;
  readonly reason: BackupReason;
  readonly normalizedTime: string | undefined;
}

/** Everything about a site that the next step depends on. */
export interface SiteView {
  readonly active: boolean;
  readonly maintenance: boolean;
  /** Why no backup could be taken now whatever was asked, such as a `$PGDATA` that is not there. */
  readonly obstacle: string | undefined;
  readonly running: boolean;
  /** Why the site is left to another daemon; undefined where it is not. */
  readonly standby: string | undefined;
  readonly requested: boolean;
  /** Complete ones, in ascending order of start; `undefined` while the store could not be asked. */
  readonly backups: readonly BackupView[] | undefined;
  /** Failures since the last success. */
  readonly failures: number;
  readonly lastFailure: Date | undefined;
  /** After how many repetitions that failed the schedule has to wait for its next turn; undefined: it never gives up. */
  readonly retriesMax: number | undefined;
}

/** `because` is what `/status` and the log show. */
export type Step =
  | {
      readonly do: 'idle';
      readonly because: string;
      /** When the next scheduled one is due, where nothing keeps from it; in the past where one is and something does. */
      readonly dueAt: Date | undefined;
    }
  | {
      readonly do: 'take-basebackup';
      readonly reason: BackupReason;
      readonly normalizedTime: string | undefined;
      readonly because: string;
    };

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** Of hosts that take base backups of one site. */
const clockSkewMsMax = hourMs;
/** A day of a time zone can be so much shorter. */
const clockChangeMs = hourMs;
const retryMsFirst = 10_000;
const retryMsMax = 3_600_000;

/** Decides what a site does next. No clock, no files, no network: the same view gives the same step. */
export function nextStep(site: SiteView, schedule: Schedule, now: Date): Step {
  const due = dueOf(site.backups, schedule, now);
  const idle = (because: string): Step => ({ do: 'idle', because, dueAt: due.at });
  const hindrance = hindranceOf(site, now);
  if (hindrance !== undefined) return idle(site.requested ? `${hindrance}; the base backup that was requested waits` : hindrance);
  const normalizedTime = normalizedBackupTime(schedule, now);
  if (site.requested) return { do: 'take-basebackup', reason: 'requested', normalizedTime, because: 'a base backup was requested' };
  const resumption = resumptionTime(site, schedule, now);
  if (resumption !== undefined && resumption > now) {
    return idle(`base backups failed ${site.failures} times in a row; none is tried before ${resumption.toISOString()} unless requested`);
  }
  return due.is ? { do: 'take-basebackup', reason: 'scheduled', normalizedTime, because: due.because } : idle(due.because);
}

/** How long to wait after the n-th failure in a row: 10 s, 30 s, 90 s … at most an hour. */
export function retryDelayMs(failures: number): number {
  return Math.min(retryMsFirst * 3 ** (failures - 1), retryMsMax);
}

function hindranceOf(site: SiteView, now: Date): string | undefined {
  if (!site.active) return 'the site is not active';
  if (site.running) return 'a base backup is running';
  if (site.standby !== undefined) return site.standby;
  if (site.maintenance) return 'maintenance mode is on';
  if (site.obstacle !== undefined) return site.obstacle;
  const retryAt = retryTime(site, now);
  if (retryAt !== undefined && retryAt > now) {
    return `the last base backup failed (${site.failures} in a row); next attempt at ${retryAt.toISOString()}`;
  }
  return undefined;
}

function retryTime(site: SiteView, now: Date): Date | undefined {
  const failedAt = failureTime(site, now);
  return failedAt && new Date(failedAt.getTime() + retryDelayMs(site.failures));
}

/** When the schedule goes on that has given up. */
function resumptionTime(site: SiteView, { intervalHours }: Schedule, now: Date): Date | undefined {
  const { failures, retriesMax = failures } = site;
  const failedAt = failureTime(site, now);
  if (failures <= retriesMax || failedAt === undefined || intervalHours === null) return undefined;
  return new Date(failedAt.getTime() + intervalHours * hourMs);
}

/** One that lies in the future is of a clock that has been set back since, and says nothing. */
function failureTime({ failures, lastFailure }: SiteView, now: Date): Date | undefined {
  return failures === 0 || lastFailure === undefined || lastFailure > now ? undefined : lastFailure;
}

interface Due {
  readonly is: boolean;
  readonly because: string;
  readonly at: Date | undefined;
}

function dueOf(all: SiteView['backups'], schedule: Schedule, now: Date): Due {
  if (schedule.intervalHours === null) {
    return { is: false, because: 'base backups are only taken on request (basebackup_interval_hours is null)', at: undefined };
  }
  if (all === undefined) return { is: false, because: 'the object store has not been listed yet', at: undefined };
  // What a clock that was ahead has dated into the future must not hold up the schedule until then. It may be our clock that was, not that of the server.
  const isPossible = (date: Date) => date.getTime() <= now.getTime() + clockSkewMsMax;
  const backups = all
    .filter(({ startTime }) => isPossible(startTime))
    .map((backup) => (isPossible(backup.decisionTime) ? backup : { ...backup, decisionTime: backup.startTime }));
  const last = backups.at(-1);
  if (last === undefined) return { is: true, because: 'there is no base backup yet', at: now };
  const intervalMs = schedule.intervalHours * hourMs;
  return schedule.hour === undefined ? dueByInterval(last, intervalMs, now) : dueByHour(backups, last, schedule, intervalMs, now);
}

function dueByInterval(last: BackupView, intervalMs: number, now: Date): Due {
  const at = new Date(last.startTime.getTime() + intervalMs);
  if (at <= now) return { is: true, because: `the last base backup began at ${last.startTime.toISOString()}`, at };
  return { is: false, because: `the next base backup is due at ${at.toISOString()}`, at };
}

function dueByHour(backups: readonly BackupView[], last: BackupView, schedule: Schedule, intervalMs: number, now: Date): Due {
  const normalizedTime = normalizedBackupTime(schedule, now);
  const scheduled = backups.findLast((backup) => backup.reason === 'scheduled');
  const earliest = scheduled && earliestAfter(scheduled, schedule, intervalMs);
  if (last.normalizedTime === normalizedTime) {
    const at = laterOf(nextScheduledTime(schedule, now) ?? now, earliest);
    return { is: false, because: `the base backup of ${normalizedTime} has been taken`, at };
  }
  if (earliest === undefined || earliest <= now) {
    return { is: true, because: `the base backup of ${normalizedTime} is due`, at: laterOf(firstMissed(last, schedule, now), earliest) };
  }
  const because = intervalMs > dayMs ? 'the interval' : 'half the interval';
  return { is: false, because: `${because} since the last scheduled base backup ends at ${earliest.toISOString()}`, at: earliest };
}

/** The first scheduled moment that the last one does not serve; under a schedule that has changed since, the last moment that it has. */
function firstMissed(last: BackupView, schedule: Schedule, now: Date): Date {
  const missed = nextScheduledTime(schedule, last.startTime);
  return missed !== undefined && missed <= now ? missed : (scheduledTime(schedule, now) ?? now);
}

function laterOf(one: Date, other: Date | undefined): Date {
  return other !== undefined && other > one ? other : one;
}

/** An hour that was moved must not lead to two backups one after the other. With more than a day between them it is the hour that counts days. */
function earliestAfter({ decisionTime }: BackupView, schedule: Schedule, intervalMs: number): Date {
  if (intervalMs <= dayMs) return new Date(decisionTime.getTime() + intervalMs / 2);
  const served = scheduledTime(schedule, decisionTime) ?? decisionTime;
  const wanted = new Date(served.getTime() + intervalMs - clockChangeMs);
  return firstTimeOfDay(schedule, wanted) ?? wanted;
}
