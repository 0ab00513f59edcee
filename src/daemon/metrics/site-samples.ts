import type { BasebackupEntry } from '../../catalog/basebackup-entry.ts';
import type { TransferState } from '../../transfer/transfer-stats.ts';
import { alertNames } from '../alerts/alert-catalogue.ts';
import type { ServerWatch } from '../servers/server-watch.ts';
import type { DaemonState } from '../state-file.ts';
import type { Sample } from './registry.ts';

const phases = ['starting', 'copying', 'finishing'] as const;
/** What takes that long is no progress any more. */
const stalledSecondsMin = 10;

export type SiteState = DaemonState['sites'][number] & { readonly servers: Pick<ServerWatch, 'nodes'> };

/** What is to be told of a site now. */
export function siteSamples({ name, loop, receiver, gaps, servers }: SiteState, now: Date): Sample[] {
  const tags = { site: name };
  const { listing, backupActivity } = loop;
  const samples: Sample[] = [
    { name: 'pghoard.basebackup_running', value: Number(backupActivity?.running === true), tags },
    ...phases.map((phase) => ({
      name: 'pghoard.seconds_since_backup_progress_stalled',
      value: stalledSeconds(backupActivity, phase, now),
      tags: { phase, ...tags },
    })),
    { name: 'pghoard.retention_postponed', value: Number(loop.retentionPostponed !== undefined), tags },
  ];
  if (listing) samples.push(...backupSamples(listing.entries, now).map((sample) => ({ ...sample, tags })));
  if (listing) samples.push({ name: 'pghoard.basebackups_unreadable', value: listing.unreadable.length, tags });
  if (receiver) samples.push({ name: 'pghoard.wal_receiver_running', value: Number(receiver.status.running), tags });
  if (gaps?.gaps) samples.push({ name: 'pghoard.wal_gaps', value: gaps.troubles.filter(({ trouble }) => trouble.isOpen).length, tags });
  for (const { label: node, obstacle } of servers.nodes)
    samples.push({ name: 'pghoard.server_reachable', value: Number(obstacle === undefined), tags: { node, ...tags } });
  return samples;
}

function stalledSeconds(activity: SiteState['loop']['backupActivity'], phase: (typeof phases)[number], now: Date): number {
  if (activity?.running !== true || (activity.progress?.phase ?? 'starting') !== phase) return 0;
  const seconds = secondsSince(activity.latestActivity, now);
  return seconds < stalledSecondsMin ? 0 : seconds;
}

/** In ascending order of start. */
function backupSamples(entries: readonly BasebackupEntry[], now: Date): Sample[] {
  const [oldest, newest] = [entries[0], entries.at(-1)];
  const samples: Sample[] = [
    { name: 'pghoard.basebackups', value: entries.length },
    { name: 'pghoard.basebackups_size_bytes', value: entries.reduce((sum, entry) => sum + entry.storedSize, 0) },
  ];
  if (oldest === undefined || newest === undefined) return samples;
  return [
    ...samples,
    { name: 'pghoard.oldest_basebackup_age_seconds', value: secondsSince(oldest.startTime, now) },
    { name: 'pghoard.newest_basebackup_age_seconds', value: secondsSince(newest.startTime, now) },
    { name: 'pghoard.newest_basebackup_size_bytes', value: newest.storedSize },
  ];
}

/** Each alert of each site, also those that are not raised: nobody could otherwise tell one that is gone from one that is not told any more. */
export function alertSamples(sites: readonly string[], active: DaemonState['alerts']['active']): Sample[] {
  const isActive = (alert: string, site: string) => active.some((each) => each.name === alert && each.site === site);
  return sites.flatMap((site) =>
    alertNames.map((alert) => ({ name: 'pghoard.alert', value: Number(isActive(alert, site)), tags: { alert, site } })),
  );
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
