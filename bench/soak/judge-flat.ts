import { median } from '../results/statistics.ts';

export interface Point {
  readonly hours: number;
  readonly value: number;
}

export interface Verdict {
  /** Medians of the first to the last quarter of the time. */
  readonly quarters: readonly number[];
  readonly slopePerHour: number;
  readonly isFlat: boolean;
}

/**
 * Whether a figure stays where it is: it may grow by `limitPerHour` within an hour, and a shorter time may bring as much. The slope is that of
 * Theil and Sen, the median of the slopes between any two points: base backups, which come and go, do not bend it.
 */
export function judgeFlat(points: readonly Point[], limitPerHour: number): Verdict {
  const hours = (points.at(-1)?.hours ?? 0) - (points[0]?.hours ?? 0);
  const slopePerHour = medianSlope(points);
  return { quarters: quarterMedians(points), slopePerHour, isFlat: slopePerHour * hours <= limitPerHour * Math.max(hours, 1) };
}

function medianSlope(points: readonly Point[]): number {
  const slopes = points.flatMap((from, at) => points.slice(at + 1).map((to) => (to.value - from.value) / (to.hours - from.hours)));
  return slopes.length === 0 ? 0 : median(slopes);
}

function quarterMedians(points: readonly Point[]): number[] {
  const edge = (quarter: number) => Math.round((points.length * quarter) / 4);
  return [0, 1, 2, 3].map((quarter) => median(points.slice(edge(quarter), edge(quarter + 1)).map(({ value }) => value)));
}
