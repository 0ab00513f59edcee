import type { WalActivity } from '../../catalog/wal-index/wal-activity.ts';

/** Minutes since 1970: from the first one on, up to before the last one. */
export interface MinuteSpan {
  readonly from: number;
  readonly to: number;
}

export interface PlacedRestorePoint {
  readonly name: string;
  readonly timeline: number;
  /** As PostgreSQL writes it. */
  readonly lsn: string;
  readonly timeMs: number;
}

export interface TimelineBuckets {
  readonly timeline: number;
  readonly commits: readonly number[];
  readonly aborts: readonly number[];
}

export interface Buckets {
  /** Ascending; those of which nothing happened in the span are left out. */
  readonly timelines: readonly TimelineBuckets[];
  /** In the order of time; the newest where there are very many. */
  readonly restorePoints: readonly PlacedRestorePoint[];
}

const restorePointsMax = 1000;

/** Adds up what happened in a span, bucket by bucket. */
export function bucketsOf(
  activities: readonly { readonly timeline: number; readonly activity: WalActivity }[],
  { from, to }: MinuteSpan,
  bucketMinutes: number,
): Buckets {
  const count = Number.isFinite(bucketMinutes) ? Math.ceil((to - from) / bucketMinutes) : 1;
  const sums = new Map<number, { readonly commits: number[]; readonly aborts: number[] }>();
  const restorePoints: PlacedRestorePoint[] = [];
  for (const { timeline, activity } of activities) {
    for (const [at, minute] of activity.minutes.entries()) {
      if (minute < from || minute >= to) continue;
      const sum = sums.get(timeline) ?? { commits: zeros(count), aborts: zeros(count) };
      sums.set(timeline, sum);
      const bucket = Math.floor((minute - from) / bucketMinutes);
      sum.commits[bucket] = (sum.commits[bucket] ?? 0) + (activity.commits[at] ?? 0);
      sum.aborts[bucket] = (sum.aborts[bucket] ?? 0) + (activity.aborts[at] ?? 0);
    }
    for (const { name, lsn, timeMs } of activity.restorePoints) {
      if (timeMs >= from * 60_000 && timeMs < to * 60_000) restorePoints.push({ name, timeline, lsn, timeMs });
    }
  }
  return {
    timelines: [...sums].map(([timeline, sum]) => ({ timeline, ...sum })).toSorted((a, b) => a.timeline - b.timeline),
    restorePoints: restorePoints.toSorted((a, b) => a.timeMs - b.timeMs).slice(-restorePointsMax),
  };
}

function zeros(count: number): number[] {
  return Array.from({ length: count }, () => 0);
}
