import type { TransferState } from '../../transfer/transfer-stats.ts';
import { alertNames } from '../alerts/alert-catalogue.ts';
import type { SiteHealth } from '../health/site-health.ts';
import type { Verdict } from '../health/verdict.ts';
import type { ServerWatch } from '../servers/server-watch.ts';
import type { VerifyState } from '../site-verify.ts';
import type { DaemonState } from '../state-file.ts';
import type { Sample } from './registry.ts';

export type SiteState = Pick<DaemonState['sites'][number], 'name' | 'loop' | 'receiver' | 'gaps'> & {
  readonly verified: VerifyState['report'];
  readonly health: SiteHealth;
  readonly servers: Pick<ServerWatch, 'nodes'>;
};

const phases = ['starting', 'copying', 'finishing'] as const;
/** What takes that long is no progress any more. */
const stalledSecondsMin = 10;

const verdicts: Readonly<Record<Verdict['is'], true>> = { ok: true, attention: true, failure: true, unknown: true, inactive: true };

/** What is to be told of a site now. */
export function siteSamples({ name: site, health, loop, receiver, gaps, servers, verified }: SiteState, now: Date): Sample[] {
  const open = gaps?.gaps && gaps.troubles.filter(({ trouble }) => trouble.isOpen).length;
  return [
    ...healthSamples(health),
    ...some({
      'pghoard.wal_gaps': open,
      'pghoard.wal_receiver_running': receiver && Number(receiver.status.running),
      'pghoard.retention_postponed': Number(loop.retentionPostponed !== undefined),
      'pghoard.verify_damaged_objects': verified?.damaged.length,
      'pghoard.verify_unproven_bytes': verified?.unproven.bytes,
      'pghoard.verify_oldest_age_seconds': verified?.oldestProof && secondsSince(verified.oldestProof, now),
    }),
    ...phases.map((phase) => {
      const value = stalledSeconds(loop.backupActivity, phase, now);
      return { name: 'pghoard.seconds_since_backup_progress_stalled', value, tags: { phase } };
    }),
    ...servers.nodes.map(({ label: node, obstacle }) => {
      return { name: 'pghoard.server_reachable', value: Number(obstacle === undefined), tags: { node } };
    }),
  ].map((sample) => ({ ...sample, tags: { ...sample.tags, site } }));
}

function healthSamples({ verdict, restorable, walLag, backups, jobs, alerts, spool, store, at }: SiteHealth): Sample[] {
  return [
    ...some({
      'pghoard.restorable': Number(restorable.is),
      'pghoard.newest_restorable_age_seconds': restorable.untilSecondsAgo,
      'pghoard.oldest_restorable_age_seconds': restorable.from && secondsSince(restorable.from, at),
      'pghoard.wal_lag_bytes': walLag.bytes,
      'pghoard.wal_lag_seconds': walLag.seconds,
      'pghoard.basebackups': backups.count,
      'pghoard.basebackups_restorable': backups.restorable,
      'pghoard.basebackups_unreadable': backups.unreadable,
      'pghoard.basebackups_size_bytes': backups.bytes,
      'pghoard.newest_basebackup_age_seconds': backups.newest?.secondsAgo,
      'pghoard.newest_basebackup_size_bytes': backups.newest?.bytes,
      'pghoard.basebackup_failures_in_a_row': backups.failures,
      'pghoard.basebackup_running': jobs.filter(({ kind }) => kind === 'basebackup').length,
      'pghoard.spool_bytes': 'bytes' in spool ? spool.bytes : undefined,
      'pghoard.spool_files': 'files' in spool ? spool.files : undefined,
      'pghoard.store_reachable': store.reachable === undefined ? undefined : Number(store.reachable),
    }),
    // Those that are not so, too: nobody could otherwise tell what is over from what is not told any more.
    ...Object.keys(verdicts).map((each) => ({ name: 'pghoard.verdict', value: Number(verdict.is === each), tags: { verdict: each } })),
    ...alertNames.map((alert) => {
      return { name: 'pghoard.alert', value: Number(alerts.some(({ name }) => name === alert)), tags: { alert } };
    }),
  ];
}

/** What is not known is not told. */
function some(values: Readonly<Record<`pghoard.${string}`, number | undefined>>): Sample[] {
  return Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [{ name, value }]));
}

function stalledSeconds(
  activity: DaemonState['sites'][number]['loop']['backupActivity'],
  phase: (typeof phases)[number],
  now: Date,
): number {
  if (activity?.running !== true || (activity.progress?.phase ?? 'starting') !== phase) return 0;
  const seconds = secondsSince(activity.latestActivity, now);
  return seconds < stalledSecondsMin ? 0 : seconds;
}

/** Ages of the last uploads, also those of an earlier process. */
export function uploadAgeSamples(transfers: TransferState, sites: ReadonlySet<string>, now: Date): Sample[] {
  return Object.entries(transfers).flatMap(([site, operations]) =>
    Object.entries(sites.has(site) ? (operations['upload'] ?? {}) : {}).flatMap(([type, { last_success: last }]) =>
      last === null ? [] : [{ name: 'pghoard.last_upload_age', value: secondsSince(new Date(last * 1000), now), tags: { site, type } }],
    ),
  );
}

/** A clock that was set back makes nothing younger than now. */
function secondsSince(time: Date, now: Date): number {
  return Math.max(0, (now.getTime() - time.getTime()) / 1000);
}
