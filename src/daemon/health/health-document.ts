import { z } from 'zod';
import type { SiteHealth } from './site-health.ts';

const moment = z.iso.datetime();
const count = z.number().nonnegative();

/**
 * The health of a site as JSON, for `/status`, `GET /SITE/status` and `pghoard status --json`; docs/guide.md describes it. Keys are only ever added. What is not known
 * is null, and a `because` says why.
 */
const share = z.object({ stored: count, sound: count, damaged: count });

export const healthDocument = z.object({
  at: moment,
  verdict: z.object({ is: z.enum(['ok', 'attention', 'failure', 'unknown', 'inactive']), because: z.array(z.string()) }),
  restorable: z.object({
    is: z.boolean(),
    state: z.enum(['yes', 'no', 'unknown']),
    from: moment.nullable(),
    until: moment.nullable(),
    until_seconds_ago: count.nullable(),
    because: z.string(),
  }),
  wal_lag: z.object({ bytes: count.nullable(), seconds: count.nullable(), because: z.string() }),
  basebackups: z.object({
    count: count.nullable(),
    restorable: count.nullable(),
    unreadable: count.nullable(),
    bytes: count.nullable(),
    failures: count,
    newest: z.object({ name: z.string(), from: moment, to: moment.nullable(), bytes: count, seconds_ago: count }).nullable(),
  }),
  jobs: z.array(
    z.object({
      kind: z.string(),
      phase: z.string(),
      started_at: moment,
      elapsed_seconds: count,
      bytes_done: count,
      bytes_total: count.nullable(),
      ends_at: moment.nullable(),
    }),
  ),
  alerts: z.array(z.object({ name: z.string(), because: z.string() })),
  next: z.array(z.object({ what: z.string(), at: moment.nullable(), because: z.string() })),
  spool: z.object({ files: count.nullable(), bytes: count.nullable(), because: z.string().nullable() }),
  /** What `pghoard verify`, or the daemon, has last found out. Absent in what older versions have left. */
  verification: z
    .object({
      newest_at: moment.nullable(),
      oldest_at: moment.nullable(),
      basebackups: share.extend({ stored_bytes: count, sound_bytes: count }).nullable(),
      segments: share.nullable(),
      findings: z.array(z.object({ severity: z.enum(['damaged', 'warning']), code: z.string(), object: z.string(), because: z.string() })),
      findings_count: count,
    })
    .optional(),
  store: z.object({
    reachable: z.boolean().nullable(),
    last_success: moment.nullable(),
    last_failure: z.object({ at: moment, because: z.string() }).nullable(),
    because: z.string(),
  }),
});
export type HealthDocument = z.output<typeof healthDocument>;

export function healthAsDocument(health: SiteHealth): HealthDocument {
  const { at, verdict, restorable, walLag, backups, jobs, alerts, next, spool, store, verification } = health;
  return {
    at: iso(at),
    verdict: { is: verdict.is, because: [...verdict.because] },
    restorable: {
      is: restorable.is,
      state: restorable.state,
      from: isoOrNull(restorable.from),
      until: isoOrNull(restorable.until),
      until_seconds_ago: restorable.untilSecondsAgo ?? null,
      because: restorable.because,
    },
    wal_lag: { bytes: walLag.bytes ?? null, seconds: walLag.seconds ?? null, because: walLag.because },
    basebackups: {
      count: backups.count ?? null,
      restorable: backups.restorable ?? null,
      unreadable: backups.unreadable ?? null,
      bytes: backups.bytes ?? null,
      failures: backups.failures,
      newest: newestAsDocument(backups.newest),
    },
    jobs: jobs.map((job) => ({
      kind: job.kind,
      phase: job.phase,
      started_at: iso(job.startedAt),
      elapsed_seconds: job.elapsedSeconds,
      bytes_done: job.bytesDone,
      bytes_total: job.bytesTotal ?? null,
      ends_at: isoOrNull(job.endsAt),
    })),
    alerts: alerts.map(({ name, because }) => ({ name, because })),
    next: next.map(({ what, at: when, because }) => ({ what, at: isoOrNull(when), because })),
    spool: 'because' in spool ? { files: null, bytes: null, because: spool.because } : { ...spool, because: null },
    verification: verificationAsDocument(verification),
    store: {
      reachable: store.reachable ?? null,
      last_success: isoOrNull(store.lastSuccess),
      last_failure: store.lastFailure === undefined ? null : { at: iso(store.lastFailure.at), because: store.lastFailure.because },
      because: store.because,
    },
  };
}

function verificationAsDocument(found: SiteHealth['verification']): NonNullable<HealthDocument['verification']> {
  const { basebackups } = found;
  return {
    newest_at: isoOrNull(found.newest),
    oldest_at: isoOrNull(found.oldest),
    basebackups:
      basebackups === undefined
        ? null
        : {
            stored: basebackups.stored,
            sound: basebackups.sound,
            damaged: basebackups.damaged,
            stored_bytes: basebackups.storedBytes,
            sound_bytes: basebackups.soundBytes,
          },
    segments: found.segments ?? null,
    findings: [...found.findings],
    findings_count: found.findingsCount,
  };
}

function newestAsDocument(newest: SiteHealth['backups']['newest']): HealthDocument['basebackups']['newest'] {
  if (newest === undefined) return null;
  const { name, from, to, bytes, secondsAgo } = newest;
  return { name, from: iso(from), to: isoOrNull(to), bytes, seconds_ago: secondsAgo };
}

function iso(date: Date): string {
  return date.toISOString();
}

function isoOrNull(date: Date | undefined): string | null {
  return date === undefined ? null : iso(date);
}
