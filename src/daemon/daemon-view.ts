import type { DaemonConfig } from '../config/load.ts';
import type { SiteWatches } from './alerts/site-watches.ts';
import type { SharedParts } from './build-parts.ts';
import { serviceStatus } from './lifecycle/service-status.ts';
import type { MeasuredDaemon } from './metrics/daemon-metrics.ts';
import { lookAtOwnProcess } from './own-process.ts';
import type { SiteSet } from './site-set.ts';
import type { DaemonState } from './state-file.ts';

export interface DaemonViewDeps {
  readonly parts: SharedParts;
  readonly sites: SiteSet;
  readonly watches: SiteWatches;
  /** As it is when asked. */
  readonly config: () => DaemonConfig;
  readonly startupTime: Date;
}

/** The daemon, as it is shown to those who ask. */
export class DaemonView {
  readonly #deps: DaemonViewDeps;

  constructor(deps: DaemonViewDeps) {
    this.#deps = deps;
  }

  /** For systemd, in one line. */
  get status(): string {
    const { sites, parts } = this.#deps;
    const views = sites.all.map(({ name, config, loop }) => ({
      name,
      isActive: config.active,
      newest: loop.listing === undefined ? null : loop.listing.entries.at(-1)?.startTime,
      isTakingBackup: loop.backupActivity?.running === true,
    }));
    return serviceStatus(views, parts.alerts.active);
  }

  /** For those who take metrics. */
  get measured(): MeasuredDaemon {
    const { sites, parts, config } = this.#deps;
    const { backup_location: backupLocation } = config();
    return { sites: sites.all, uploads: parts.uploads, compressionQueue: this.#compressionQueue, backupLocation };
  }

  /** For the state file. */
  get state(): DaemonState {
    const { sites, watches, parts, config, startupTime } = this.#deps;
    const { uploads, alerts, servedFiles, version } = parts;
    return {
      startupTime,
      version,
      sites: sites.all,
      compressionQueue: this.#compressionQueue,
      transferQueue: uploads.pending,
      transfers: uploads.stats.snapshot(),
      sealing: uploads.sealing.snapshot(),
      compressionThreads: config().compression.thread_count,
      servedFiles,
      alerts,
      heartbeats: watches.heartbeats,
      process: lookAtOwnProcess(),
    };
  }

  get #compressionQueue(): number {
    const { pool, walPool } = this.#deps.parts;
    return pool.pending + walPool.pending;
  }
}
