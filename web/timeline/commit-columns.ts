import type { CommitsDocument } from '../../src/daemon/http/api.ts';
import { msOf } from '../format.ts';
import { scaleOf } from './layout.ts';
import type { TimeWindow } from './window.ts';

/** Commits of some minutes, in pixels from the left. */
export interface CommitColumn {
  readonly x0: number;
  readonly x1: number;
  readonly perMinute: number;
}

export interface CommitColumns {
  readonly columns: readonly CommitColumn[];
  readonly peakPerMinute: number;
  readonly commits: number;
}

/** What of the commits, of all timelines together, lies in the window. */
export function commitColumns(document: CommitsDocument, window: TimeWindow, width: number): CommitColumns {
  const { bucket_seconds: bucketSeconds, timelines } = document;
  const from = msOf(document.from) ?? 0;
  const bucketMs = bucketSeconds * 1000;
  const buckets = timelines.reduce((most, { commits }) => Math.max(most, commits.length), 0);
  const scale = scaleOf(window, width);
  const columns: CommitColumn[] = [];
  let [peakPerMinute, all] = [0, 0];
  for (let bucket = 0; bucket < buckets; bucket++) {
    const count = timelines.reduce((sum, { commits }) => sum + (commits[bucket] ?? 0), 0);
    const [begin, end] = [from + bucket * bucketMs, from + (bucket + 1) * bucketMs];
    if (count === 0 || end <= window.from || begin >= window.to) continue;
    const perMinute = (count * 60) / bucketSeconds;
    columns.push({ x0: Math.max(0, scale(begin)), x1: Math.min(width, scale(end)), perMinute });
    peakPerMinute = Math.max(peakPerMinute, perMinute);
    all += count;
  }
  return { columns, peakPerMinute, commits: all };
}
