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
/** The end of the daemon waits for a gateway no longer. */
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

interface Telling {
  readonly end: AbortController;
  readonly done: Promise<void>;
}

/** What is measured goes to those whom the configuration names; all of them are told everything. Where it names nobody, nothing is done. */
export class MetricExports {
  readonly #deps: MetricExportsDeps;
  #options = nobody;
  #statsd: Statsd | undefined;
  #pushgateway: Pushgateway | undefined;
  /** While somebody wants metrics. */
  #telling: Telling | undefined;
  #failure = '';

  constructor(deps: MetricExportsDeps) {
    this.#deps = deps;
  }

  /** Those who are new hear of what was counted before, where their protocol knows sums; those who stay notice nothing. */
  async configure({ statsd, prometheus, pushgateway }: MetricsGlobalOptions): Promise<void> {
    const old = this.#options;
    this.#options = { statsd, prometheus, pushgateway };
    if (isOther(old.pushgateway, pushgateway)) this.#pushgateway = this.#openPushgateway(pushgateway);
    if (isOther(old.statsd, statsd)) await this.#replaceStatsd(statsd);
    if (statsd === null && prometheus === null && pushgateway === null) await this.#rest();
    else this.#telling ??= this.#begin();
  }

  /** What `GET /metrics` answers; undefined where no `prometheus` is configured. */
  prometheus(): string | undefined {
    const { prometheus } = this.#options;
    return prometheus === null ? undefined : prometheusText(this.#deps.registry.families(), prometheus.tags);
  }

  /** A last time everything is told. */
  async close(): Promise<void> {
    await this.#rest();
    await this.#safely(async () => this.#pushgateway?.push(this.#deps.registry.families(), lastPushMsMax));
    await this.configure(nobody);
  }

  #openPushgateway(options: MetricsGlobalOptions['pushgateway']): Pushgateway | undefined {
    const { registry, host, log } = this.#deps;
    const onFailure = () => registry.increase('pghoard.metrics_push_failures', 1);
    return options === null ? undefined : new Pushgateway(options, { host, log, onFailure });
  }

  async #replaceStatsd(options: MetricsGlobalOptions['statsd']): Promise<void> {
    const old = this.#statsd;
    this.#statsd = options === null ? undefined : new Statsd(options);
    this.#deps.registry.listen(this.#statsd && ((measurement) => this.#send(measurement)));
    // It would otherwise hear of these with the next round only.
    if (this.#telling) await this.#safely(async () => this.#tellStatsd());
    await old?.close();
  }

  #begin(): Telling {
    const end = new AbortController();
    return { end, done: this.#tellAgainAndAgain(end.signal) };
  }

  async #rest(): Promise<void> {
    if (this.#telling === undefined) return;
    const { end, done } = this.#telling;
    end.abort();
    await done;
    this.#telling = undefined;
    this.#deps.rest();
  }

  async #tellAgainAndAgain(signal: AbortSignal): Promise<void> {
    const { registry, look, clock } = this.#deps;
    while (!signal.aborted) {
      await this.#safely(async () => {
        await look();
        this.#tellStatsd();
        await this.#pushgateway?.push(registry.families(), pushMsMax, signal);
      });
      await clock.sleep(tellMs, signal).catch(() => {});
    }
  }

  #tellStatsd(): void {
    if (this.#statsd) for (const sample of this.#deps.registry.samples()) this.#send(sample);
  }

  #send({ definition: { name, kind }, value, tags }: Measurement): void {
    if (kind === 'gauge') this.#statsd?.gauge(name, value, tags);
    else if (kind === 'histogram') this.#statsd?.histogram(name, value, tags);
    else if (value > 0) this.#statsd?.counter(name, value, tags);
  }

  /** Backups must not end because of what only watches them. */
  async #safely(tell: () => Promise<void>): Promise<void> {
    try {
      await tell();
      this.#failure = '';
    } catch (error) {
      if (messageOf(error) !== this.#failure) this.#deps.log.error({}, `metrics are not told: ${explain(error)}`);
      this.#failure = messageOf(error);
    }
  }
}

function isOther(old: object | null, options: object | null): boolean {
  return JSON.stringify(old) !== JSON.stringify(options);
}
