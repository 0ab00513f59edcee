import type { WorkerDeath } from '../../codec/pool.ts';
import type { Clock } from '../../lib/clock.ts';
import { explain, messageOf } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import type { Metrics } from '../../lib/metrics.ts';
import type { Alerts } from '../alerts/alerts.ts';

export interface WorkerDeathsDeps {
  readonly alerts: Pick<Alerts, 'raise' | 'clear'>;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly log: Log;
}

/** Without another death the alert is over. */
const quietMs = 3_600_000;

/** Tells of threads that died. Their jobs have failed, and are begun anew on others by those who wanted them. */
export class WorkerDeaths {
  readonly #deps: WorkerDeathsDeps;
  /** Of the last one, as long as it is told. */
  #diedAtMs: number | undefined;

  constructor(deps: WorkerDeathsDeps) {
    this.#deps = deps;
  }

  died({ job, cause }: WorkerDeath): void {
    const { alerts, metrics, clock, log } = this.#deps;
    const what = `a worker thread died ${job === undefined ? 'without a job' : `while it ran ${job}`}`;
    log.error({}, `${what}; another one takes its place: ${explain(cause)}`);
    metrics.increase('pghoard.worker_died', 1);
    this.#diedAtMs = clock.monotonicMs();
    void alerts.raise('worker_crashed', null, `${what}: ${messageOf(cause)}`);
  }

  /** A thread has done a job. */
  done(): void {
    const { alerts, clock } = this.#deps;
    if (this.#diedAtMs === undefined || clock.monotonicMs() - this.#diedAtMs < quietMs) return;
    this.#diedAtMs = undefined;
    void alerts.clear('worker_crashed', null);
  }
}
