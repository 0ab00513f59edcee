import type { DaemonConfig, SiteConfig } from '../../config/load.ts';
import type { Clock } from '../../lib/clock.ts';
import { messageOf } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import type { Metrics } from '../../lib/metrics.ts';
import type { UploadQueue } from '../../transfer/upload-queue.ts';
import { type DiskPlace, DiskWatch } from './disk-watch.ts';
import { MetricExports } from './metric-exports.ts';
import { metricTable } from './metric-table.ts';
import { ProcessWatch } from './process-watch.ts';
import { MetricRegistry, type Sample } from './registry.ts';
import { type SiteState, siteSamples, uploadAgeSamples } from './site-samples.ts';

/** What there is to be told of, asked anew each time. */
export interface MeasuredDaemon {
  readonly sites: readonly (SiteState & { readonly config: SiteConfig })[];
  readonly uploads: Pick<UploadQueue, 'pending' | 'stats'>;
  readonly compressionQueue: number;
  readonly backupLocation: string;
}

export interface DaemonMetricsDeps {
  readonly daemon: () => MeasuredDaemon;
  readonly startTime: Date;
  readonly version: string;
  /** Name of this host. */
  readonly host: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** All that a daemon measures, and those who are told. */
export class DaemonMetrics {
  readonly #deps: DaemonMetricsDeps;
  readonly #registry: MetricRegistry;
  readonly #exports: MetricExports;
  readonly #disks: DiskWatch;
  readonly #process: ProcessWatch;
  #isReloadOk = true;

  constructor(deps: DaemonMetricsDeps) {
    const { clock, log, host, startTime } = deps;
    this.#deps = deps;
    this.#disks = new DiskWatch(clock);
    this.#process = new ProcessWatch(clock, startTime);
    this.#registry = new MetricRegistry({
      definitions: metricTable,
      samples: () => this.#samples(),
      onRefused: (name, because) => log.error({ metric: name }, `a measurement is not taken: ${because}`),
    });
    this.#exports = new MetricExports({
      registry: this.#registry,
      look: () => this.#look(),
      rest: () => this.#process.rest(),
      host,
      clock,
      log,
    });
  }

  /** For whoever measures. */
  get metrics(): Metrics {
    return this.#registry;
  }

  /** Goes over to another configuration; what was counted stays. */
  async configure(config: DaemonConfig): Promise<void> {
    this.#registry.keepSites(new Set(Object.keys(config.backup_sites)));
    await this.#exports.configure(config);
  }

  reloaded(isOk: boolean): void {
    this.#isReloadOk = isOk;
  }

  /** What `GET /metrics` answers; undefined where that is not configured. */
  prometheus(): string | undefined {
    return this.#exports.prometheus();
  }

  close(): Promise<void> {
    return this.#exports.close();
  }

  /** Never rejects. */
  async #look(): Promise<void> {
    try {
      const { sites, backupLocation } = this.#deps.daemon();
      const places = [{ place: 'spool', path: backupLocation } as const, ...sites.flatMap(({ config }) => placesOf(config))];
      this.#process.look(this.#registry);
      await this.#disks.look(places);
    } catch (error) {
      this.#deps.log.error({}, `a look at what is measured failed: ${messageOf(error)}`);
    }
  }

  #samples(): Sample[] {
    const { clock, version } = this.#deps;
    const { sites, uploads, compressionQueue } = this.#deps.daemon();
    const now = clock.now();
    const names = sites.map(({ name }) => name);
    return [
      ...sites.flatMap((site) => siteSamples(site, now)),
      ...uploadAgeSamples(uploads.stats.snapshot(), new Set(names), now),
      { name: 'pghoard.transfer_queue', value: uploads.pending },
      { name: 'pghoard.compression_queue', value: compressionQueue },
      { name: 'pghoard.configuration_reload_ok', value: Number(this.#isReloadOk) },
      { name: 'pghoard.build_info', value: 1, tags: { version } },
      ...this.#disks.samples(),
      ...this.#process.samples(),
    ];
  }
}

function placesOf({ name: site, object_storage: storage, pg_data_directory: pgdata }: SiteConfig): DiskPlace[] {
  return [
    ...(storage.storage_type === 'local' ? [{ place: 'store', site, path: storage.directory } as const] : []),
    ...(pgdata === null ? [] : [{ place: 'pgdata', site, path: pgdata } as const]),
  ];
}
