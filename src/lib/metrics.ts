import { errorName } from './errors.ts';

/** What tells the series of a metric apart. Never a secret, and nothing of which there may be any number, such as names of files. */
export type MetricTags = Readonly<Record<string, string | number>>;

/** Takes measurements, for whoever may want them. Neither throws nor takes time; what a metric means is in the table of the daemon's metrics. */
export interface Metrics {
  /** How it stands now. */
  gauge(name: string, value: number, tags?: MetricTags): void;
  /** By how much it grew. */
  increase(name: string, by: number, tags?: MetricTags): void;
  /** How long something took. */
  observe(name: string, seconds: number, tags?: MetricTags): void;
}

/** Where nobody wants them. */
export const noMetrics: Metrics = { gauge: () => {}, increase: () => {}, observe: () => {} };

/** Counts a failure. `where`: what failed, in one of the words of docs/metrics.md. */
export function countFailure(metrics: Metrics, where: string, error: unknown): void {
  metrics.increase('pghoard.exception', 1, { exception: errorName(error), where });
}
