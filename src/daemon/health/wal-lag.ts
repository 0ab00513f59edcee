import type { ServerSample } from '../../catalog/recoverability/server-samples.ts';
import type { Stretch } from '../../catalog/recoverability/stored-line.ts';
import type { WalArchiveView } from '../../catalog/wal-archive-view.ts';
import type { Findings } from './findings.ts';

/** How far what can be restored is behind the server. */
export interface WalLag {
  readonly bytes?: number;
  /** From the newest moment of which all WAL is stored until now. 0 where the server has written nothing since. */
  readonly seconds?: number;
  readonly because: string;
  /** Nothing is stored of the timeline that the server is on now. */
  readonly isOnNewTimeline?: true;
}

/** A server that was not asked for so long may be anywhere. */
const freshMsMax = 60_000;

export function walLagOf(findings: Findings): WalLag {
  const { view, line, restorability } = findings;
  if (view.wal === undefined) return { because: `this daemon archives no WAL (active_backup_mode: ${view.walMode})` };
  const { samples, sampledMsAgo } = view.servers;
  const newest = samples.at(-1);
  if (newest === undefined || sampledMsAgo === undefined || sampledMsAgo > freshMsMax) return { because: serverUnknown(findings) };
  if (typeof view.wal.archive === 'string') return { because: `it is not known which WAL is stored: ${view.wal.archive}` };
  const stretch = restorability?.windows.at(-1)?.stretch ?? line?.stretches.at(-1);
  if (line === undefined || stretch === undefined) return { because: 'no WAL is stored yet' };
  if (!line.includes(newest))
    return { because: timelineUnknown(newest), ...(isStored(newest, view.wal.archive) ? {} : { isOnNewTimeline: true }) };
  const bytes = bytesBehind(newest, stretch);
  const because = storedUpTo(newest, stretch);
  if (newest.lsn <= stretch.endLsn) return { bytes, seconds: 0, because };
  const covered = samples.findLast((sample) => line.covers(stretch, sample));
  const seconds = covered && { seconds: Math.round((newest.time.getTime() - covered.time.getTime() + sampledMsAgo) / 1000) };
  return { bytes, ...seconds, because };
}

export function storedUpTo(newest: ServerSample, stretch: Stretch): string {
  if (newest.lsn > stretch.endLsn) return 'the server has written WAL that is not stored yet';
  return bytesBehind(newest, stretch) === 0
    ? 'all WAL is stored that the server has written'
    : 'all that was committed is stored; what the server has written since ends no transaction';
}

function bytesBehind({ flushed }: ServerSample, { endLsn }: Stretch): number {
  return Number(flushed > endLsn ? flushed - endLsn : 0n);
}

export function serverUnknown({ view }: Findings): string {
  return `nobody knows how far the server is: ${view.servers.obstacle ?? (view.servers.sampledMsAgo === undefined ? 'it has not been asked yet' : 'it was not asked lately')}`;
}

function isStored({ timeline }: ServerSample, { histories, ranges }: WalArchiveView): boolean {
  return histories.has(timeline) || ranges.timelines.includes(timeline);
}

/** What the server writes now belongs to no line that is stored. */
export function timelineUnknown({ timeline }: ServerSample): string {
  return `the server is on timeline ${timeline}, to which what is stored does not lead`;
}
