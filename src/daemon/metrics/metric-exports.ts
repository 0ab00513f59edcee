import type { Clock } from '../../lib/clock.ts';
import { explain, messageOf } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import { Statsd } from '../../lib/statsd.ts';
import type { MetricsGlobalOptions } from './options.ts';
import { prometheusText } from './prometheus-text.ts';
import { Pushgateway } from './pushgateway.ts';
import type { Measurement, MetricRegistry } from './registry.ts';

/** Gauges that nothing sets are told, and everything is pushed, so often. */
const tellMs = 10_000;
const pushMsMax = 10_000;
/** The end of the daemon, or a reload, waits for a gateway no longer. */
const lastPushMsMax = 2_000;

const nobody: MetricsGlobalOptions = { statsd: null, prometheus: null, pushgateway: null };

export interface MetricExportsDeps {
  readonly registry: MetricRegistry;
  /** Looks at what takes a moment to find out, such as disks; only called while somebody wants metrics. */
  readonly look: () => Promise<void>;
  /** Nobody wants them any more. */
  readonly rest: () => void;
  readonly host: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** What is measured goes to those whom the configuration names; all of them are told everything. Where it names nobody, nothing is done. */
export class MetricExports {
  readonly #deps: MetricExportsDeps;
  #options = nobody;
  #statsd: Statsd | undefined;
  #pushgateway: Pushgateway | undefined;
  #end = new AbortController();
  #telling: Promise<void> = Promise.resolve();

  constructor(deps: MetricExportsDeps) {
    this.#deps = deps;
  }

  /** Those who are new hear of what was counted before, where their protocol knows sums. */
  async configure({ statsd, prometheus, pushgateway }: MetricsGlobalOptions): Promise<void> {
    const options = { statsd, prometheus, pushgateway };
    if (JSON.stringify(options) === JSON.stringify(this.#options)) return;
    await this.close();
    const { registry, host, log } = this.#deps;
    this.#options = options;
    this.#end = new AbortController();
    this.#statsd = statsd === null ? undefined : new Statsd(statsd);
    const onFailure = () => registry.increase('pghoard.metrics_push_failures', 1);
    this.#pushgateway = pushgateway === null ? undefined : new Pushgateway(pushgateway, { host, log, onFailure });
    if (this.#statsd) registry.listen((measurement) => this.#send(measurement));
    if (statsd !== null || prometheus !== null || pushgateway !== null) this.#telling = this.#tellAgainAndAgain(this.#end.signal);
  }

  /** What `GET /metrics` answers; undefined where no `prometheus` is configured. */
  prometheus(): string | undefined {
    const { prometheus } = this.#options;
    return prometheus === null ? undefined : prometheusText(this.#deps.registry.families(), prometheus.tags);
  }

  /** A last time everything is told. */
  async close(): Promise<void> {
    const { registry, rest } = this.#deps;
    this.#end.abort();
    await this.#telling;
    await this.#pushgateway?.push(registry.families(), lastPushMsMax);
    rest();
    registry.listen(undefined);
    await this.#statsd?.close();
    this.#statsd = undefined;
    this.#pushgateway = undefined;
    this.#options = nobody;
  }

  async #tellAgainAndAgain(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#deps;
    let failure = '';
    while (!signal.aborted) {
      try {
        await this.#tell(signal);
        failure = '';
      } catch (error) {
        // Backups must not end because of what only watches them.
        if (messageOf(error) !== failure) log.error({}, `metrics are not told: ${explain(error)}`);
        failure = messageOf(error);
      }
      await clock.sleep(tellMs, signal).catch(() => {});
    }
  }

  async #tell(signal: AbortSignal): Promise<void> {
    const { registry, look } = this.#deps;
    await look();
    if (this.#statsd) for (const sample of registry.samples()) this.#send(sample);
    await this.#pushgateway?.push(registry.families(), pushMsMax, signal);
  }

  #send({ definition: { name, kind }, value, tags }: Measurement): void {
    if (kind === 'gauge') this.#statsd?.gauge(name, value, tags);
    else if (kind === 'histogram') this.#statsd?.histogram(name, value, tags);
    else if (value > 0) this.#statsd?.counter(name, value, tags);
  }
}
