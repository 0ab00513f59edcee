import type { SiteHealth } from '../health/site-health.ts';
import type { AlertOptions } from './options.ts';
import type { Verdicts } from './verdicts.ts';

/** What is known of a site whose alerts are judged. */
export interface JudgedSite {
  readonly health: Pick<SiteHealth, 'at' | 'backups' | 'jobs' | 'restorable' | 'walLag'>;
  /** How often base backups are to be taken; null: only when somebody asks. */
  readonly intervalHours: number | null;
  /** Since when one is due by the schedule, or when the next one will be; undefined where none is, or one is being begun. */
  readonly dueAt: Date | undefined;
  /** Why none is taken though one may be due, on purpose: maintenance mode, another daemon. */
  readonly leftAlone: string | undefined;
  /** Why the last base backup failed. */
  readonly lastFailure: string | undefined;
  /** Of WAL; undefined where that is not known. */
  readonly segmentBytes: number | undefined;
  /** Its base backups carry their WAL, and nothing else is archived: what can be restored ends with the last of them. */
  readonly hasOnlyBasebackups: boolean;
  /** For how long nobody could be certain that it can be restored; 0 while it is certain. */
  readonly uncertainMs: number;
  /** For how long there has been a finished segment that the server has not handed over, and it handed over nothing; 0 while that is not so. */
  readonly standstillMs: number;
  /** The newest stored segment was fetched by this daemon, because base backups need it: the server has not handed it over. */
  readonly isFetched: boolean;
  /** For how long this daemon has been watching it. */
  readonly watchedMs: number;
  /** For how long its store has been throttling. */
  readonly throttledMs: number;
  /** What is stored and damaged, in words; null: nothing is, as far as it was read. Undefined: nobody knows. */
  readonly damaged: string | null | undefined;
  /** Who took the site over from this daemon. */
  readonly lostTo: string | undefined;
}

type Limits = Pick<
  AlertOptions,
  'basebackup_failures' | 'basebackup_overdue_seconds' | 'throttled_seconds' | 'wal_stalled_seconds' | 'window_age_seconds'
>;

const hourMs = 3_600_000;

/** The alerts that follow from how a site is. No clock, no files, no network. */
export function judgeSite(site: JudgedSite, limits: Limits): Verdicts {
  return {
    basebackup_failing: whyFailing(site, limits),
    ...judgeDue(site, limits),
    ...judgeWal(site, limits),
    ...judgeWindow(site, limits),
    store_throttled:
      site.throttledMs >= limits.throttled_seconds * 1000 && site.throttledMs > 0
        ? `the store has refused requests as too many for ${inWords(site.throttledMs)}`
        : null,
    ...(site.damaged !== undefined && { verify_failed: site.damaged }),
    lease_lost: site.lostTo ?? null,
  };
}

function whyFailing({ health, lastFailure }: JudgedSite, { basebackup_failures: most }: Limits): string | null {
  const { failures } = health.backups;
  return failures < most ? null : `base backups failed ${failures} times in a row${lastFailure === undefined ? '' : `: ${lastFailure}`}`;
}

/** One that is running is watched by others. */
function judgeDue(site: JudgedSite, { basebackup_overdue_seconds: overdue, basebackup_failures: most }: Limits): Verdicts {
  const { health, intervalHours, dueAt = health.at, leftAlone, watchedMs } = site;
  const { count, newest, failures } = health.backups;
  if (intervalHours === null || health.jobs.some(({ kind }) => kind === 'basebackup') || failures >= most)
    return { basebackup_overdue: null };
  if (count === undefined) return {};
  const grantedMs = overdue * 1000 + (leftAlone === undefined ? 0 : intervalHours * hourMs);
  const lateMs = newest === undefined ? watchedMs : health.at.getTime() - dueAt.getTime();
  if (lateMs < grantedMs) return { basebackup_overdue: null };
  const what =
    newest === undefined
      ? 'there is no base backup, and none is being taken'
      : `a base backup is due since ${dueAt.toISOString()} (the last one began at ${newest.from.toISOString()}), and none is being taken`;
  return { basebackup_overdue: leftAlone === undefined ? what : `${what}: ${leftAlone}` };
}

/** How far a server that cannot be asked is, nobody knows; that it cannot is another alert. */
function judgeWal({ health, segmentBytes, standstillMs, isFetched }: JudgedSite, { wal_stalled_seconds: stalled }: Limits): Verdicts {
  const { bytes, because, isOnNewTimeline } = health.walLag;
  const isStalled = standstillMs > 0 && standstillMs >= stalled * 1000;
  if (isOnNewTimeline) return { wal_not_archived: isStalled ? `${because}, for ${inWords(standstillMs)} now` : null };
  if (bytes === undefined || segmentBytes === undefined) return {};
  if ((bytes < segmentBytes && !isFetched) || !isStalled) return { wal_not_archived: null };
  const since = inWords(standstillMs);
  return {
    wal_not_archived: isFetched
      ? `the server has handed over no WAL for ${since}: what base backups need of it pghoard has fetched itself, ${bytes} bytes behind that are not stored`
      : `the server has written ${bytes} bytes of WAL that are not stored, and none has been stored for ${since}`,
  };
}

function judgeWindow(site: JudgedSite, { window_age_seconds: limit }: Limits): Verdicts {
  const { health, uncertainMs, intervalHours, hasOnlyBasebackups } = site;
  const { restorable } = health;
  if (restorable.state !== 'yes') {
    const is = uncertainMs >= limit * 1000;
    const what = restorable.state === 'no' ? 'the site cannot be restored' : 'it is not certain that the site can be restored';
    return { restorable_window_stalled: is ? `${what}, for ${inWords(uncertainMs)} now: ${restorable.because}` : null };
  }
  if (restorable.untilSecondsAgo === undefined || (hasOnlyBasebackups && intervalHours === null))
    return { restorable_window_stalled: null };
  const granted = limit + (hasOnlyBasebackups ? (intervalHours ?? 0) * 3600 : 0);
  if (restorable.untilSecondsAgo < granted) return { restorable_window_stalled: null };
  const until = restorable.until?.toISOString() ?? 'an unknown moment';
  return { restorable_window_stalled: `the site can be restored to ${until} and no further: ${restorable.because}` };
}

function inWords(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 2) return `${Math.round(ms / 1000)} s`;
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h`;
}
