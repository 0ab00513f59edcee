import type { BasebackupMode, BasebackupProgress } from '../../basebackup/job.ts';
import type { Clock } from '../../lib/clock.ts';
import { countFailure, type Metrics, type MetricTags } from '../../lib/metrics.ts';

/** Progress is told by every few megabytes and every small file. */
const tellMsMin = 1000;

export interface BasebackupMetricsDeps {
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly site: string;
  readonly mode: BasebackupMode;
}

/** What one base backup gives to measure while it is taken. */
export class BasebackupMetrics {
  readonly #deps: BasebackupMetricsDeps;
  readonly #tags: MetricTags;
  readonly #startMs: number;
  #bytesDone = 0;
  #toldAtMs = Number.NEGATIVE_INFINITY;

  constructor(deps: BasebackupMetricsDeps) {
    this.#deps = deps;
    this.#tags = { site: deps.site };
    this.#startMs = deps.clock.monotonicMs();
    deps.metrics.gauge('pghoard.backup_stream.basebackup_requested', 1, this.#tags);
  }

  progressed({ bytesDone, bytesTotal }: BasebackupProgress): void {
    const { metrics, clock, site, mode } = this.#deps;
    const delta = mode === 'delta' ? 'True' : 'False';
    if (bytesDone > this.#bytesDone) metrics.increase('pghoard.basebackup_bytes_uploaded', bytesDone - this.#bytesDone, { delta, site });
    this.#bytesDone = bytesDone;
    const nowMs = clock.monotonicMs();
    if (bytesTotal === undefined || bytesTotal === 0 || nowMs - this.#toldAtMs < tellMsMin) return;
    this.#toldAtMs = nowMs;
    // The total is an estimate; only what is complete is done to a hundred percent.
    this.#tellProgress(Math.min((100 * bytesDone) / bytesTotal, 99));
  }

  completed(): void {
    const { metrics, clock, site, mode } = this.#deps;
    if (this.#toldAtMs > Number.NEGATIVE_INFINITY) this.#tellProgress(100);
    metrics.increase('pghoard.basebackup_completed', 1, this.#tags);
    metrics.gauge('pghoard.backup_time', (clock.monotonicMs() - this.#startMs) / 1000, { basebackup_mode: mode, site });
  }

  failed(error: unknown): void {
    const { metrics } = this.#deps;
    metrics.increase('pghoard.basebackup_failed', 1, this.#tags);
    countFailure(metrics, 'PGBaseBackup', error);
  }

  #tellProgress(percent: number): void {
    this.#deps.metrics.gauge('pghoard.basebackup_estimated_progress', percent, this.#tags);
  }
}
