import { normalizedBackupTime, type Schedule } from './schedule.ts';

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
  | { readonly do: 'idle'; readonly because: string }
  | {
      readonly do: 'take-basebackup';
      readonly reason: BackupReason;
      readonly normalizedTime: string | undefined;
      readonly because: string;
    };

const retryMsFirst = 10_000;
const retryMsMax = 3_600_000;

/** Decides what a site does next. No clock, no files, no network: the same view gives the same step. */
export function nextStep(site: SiteView, schedule: Schedule, now: Date): Step {
  const hindrance = hindranceOf(site, now);
  if (hindrance !== undefined) return { do: 'idle', because: hindrance };
  const normalizedTime = normalizedBackupTime(schedule, now);
  if (site.requested) return { do: 'take-basebackup', reason: 'requested', normalizedTime, because: 'a base backup was requested' };
  const resumption = resumptionTime(site, schedule);
  if (resumption !== undefined && resumption > now) {
    return {
      do: 'idle',
      because: `base backups failed ${site.failures} times in a row; none is tried before ${resumption.toISOString()} unless requested`,
    };
  }
  const due = dueBecause(site, schedule, now, normalizedTime);
  return due.is
    ? { do: 'take-basebackup', reason: 'scheduled', normalizedTime, because: due.because }
    : { do: 'idle', because: due.because };
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
  const retryAt = retryTime(site);
  if (retryAt !== undefined && retryAt > now) {
    return `the last base backup failed (${site.failures} in a row); next attempt at ${retryAt.toISOString()}`;
  }
  return undefined;
}

function retryTime(site: SiteView): Date | undefined {
  if (site.failures === 0 || site.lastFailure === undefined) return undefined;
  return new Date(site.lastFailure.getTime() + retryDelayMs(site.failures));
}

/** When the schedule goes on that has given up. */
function resumptionTime({ failures, lastFailure, retriesMax = failures }: SiteView, { intervalHours }: Schedule): Date | undefined {
  if (failures <= retriesMax || lastFailure === undefined || intervalHours === null) return undefined;
  return new Date(lastFailure.getTime() + intervalHours * 3_600_000);
}

interface Due {
  readonly is: boolean;
  readonly because: string;
}

function dueBecause(site: SiteView, schedule: Schedule, now: Date, normalizedTime: string | undefined): Due {
  if (schedule.intervalHours === null)
    return { is: false, because: 'base backups are only taken on request (basebackup_interval_hours is null)' };
  if (site.backups === undefined) return { is: false, because: 'the object store has not been listed yet' };
  const last = site.backups.at(-1);
  if (last === undefined) return { is: true, because: 'there is no base backup yet' };
  const intervalMs = schedule.intervalHours * 3_600_000;
  if (normalizedTime === undefined) return dueByInterval(last, intervalMs, now);
  return dueByHour(site.backups, last, normalizedTime, intervalMs, now);
}

function dueByInterval(last: BackupView, intervalMs: number, now: Date): Due {
  const next = new Date(last.startTime.getTime() + intervalMs);
  if (next <= now) return { is: true, because: `the last base backup began at ${last.startTime.toISOString()}` };
  return { is: false, because: `the next base backup is due at ${next.toISOString()}` };
}

function dueByHour(backups: readonly BackupView[], last: BackupView, normalizedTime: string, intervalMs: number, now: Date): Due {
  if (last.normalizedTime === normalizedTime) return { is: false, because: `the base backup of ${normalizedTime} has been taken` };
  const scheduled = backups.findLast((backup) => backup.reason === 'scheduled');
  const earliest = scheduled === undefined ? now : new Date(scheduled.decisionTime.getTime() + intervalMs / 2);
  if (earliest > now)
    return { is: false, because: `half the interval since the last scheduled base backup ends at ${earliest.toISOString()}` };
  return { is: true, because: `the base backup of ${normalizedTime} is due` };
}
