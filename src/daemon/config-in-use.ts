import { isDeepStrictEqual } from 'node:util';
import { type DaemonConfig, loadConfig, type SiteConfig } from '../config/load.ts';
import type { RootLog } from '../lib/log/root-log.ts';
import type { Alerts } from './alerts/alerts.ts';
import type { SiteWatches } from './alerts/site-watches.ts';
import { BackupLocation, type BackupLocationDeps } from './backup-location.ts';
import { logSettings } from './log-settings.ts';
import type { DaemonMetrics } from './metrics/daemon-metrics.ts';
import type { SiteSet } from './site-set.ts';

/** Those who go over to another configuration with the daemon. */
export interface ConfigFollowers {
  readonly sites: SiteSet;
  readonly alerts: Alerts;
  readonly watches: SiteWatches;
  readonly metrics: DaemonMetrics;
}

export interface ConfigInUseDeps extends BackupLocationDeps {
  readonly followers: () => ConfigFollowers;
  readonly log: RootLog;
}

/** Settings of things that are made once, at the start. */
const restartKeys = [
  'http_address',
  'http_port',
  'webserver_username',
  'webserver_password',
  'dashboard_actions',
  'transfer',
  'upload_retries_warning_limit',
] as const;

/** The configuration that the daemon works by, and the place that it has to itself by it. */
export class ConfigInUse {
  readonly #deps: ConfigInUseDeps;
  #current: DaemonConfig;
  #location: BackupLocation | undefined;

  constructor(first: DaemonConfig, deps: ConfigInUseDeps) {
    this.#current = first;
    this.#deps = deps;
  }

  get current(): DaemonConfig {
    return this.#current;
  }

  /** Undefined while the place is not this daemon's. */
  get location(): BackupLocation | undefined {
    return this.#location;
  }

  /** Rejects as {@link BackupLocation.occupy} does. */
  async occupy(): Promise<void> {
    this.#location = await this.#occupy(this.#current);
  }

  async leave(): Promise<void> {
    await this.#location?.leave();
  }

  /** Reads the file again. Where that or a site of it fails, the old one stays and this rejects. */
  async reload(): Promise<void> {
    const { log } = this.#deps;
    const { sites, alerts, watches, metrics } = this.#deps.followers();
    const old = this.#current;
    const isAsBefore = (site: SiteConfig) => isDeepStrictEqual(site.object_storage, old.backup_sites[site.name]?.object_storage);
    const config = await loadConfig(old.file, { forDaemon: true, storeMayBeUnusable: isAsBefore });
    for (const warning of config.warnings) if (!old.warnings.includes(warning)) log.warn({}, warning);
    await this.#move(old, config, sites);
    this.#current = config;
    await alerts.follow(config);
    await watches.follow(config);
    await metrics.configure(config);
    log.configure(logSettings(config));
    log.info({ sites: [...sites.byName.keys()].join(',') }, 'configuration reloaded');
    const needRestart = restartKeys.filter((key) => JSON.stringify(old[key]) !== JSON.stringify(config[key]));
    if (needRestart.length > 0) log.warn({ keys: needRestart.join(',') }, 'changes of these settings take effect at the next start');
  }

  /** The old place is left once the new one is in use. */
  async #move(from: DaemonConfig, to: DaemonConfig, sites: SiteSet): Promise<void> {
    if (from.backup_location === to.backup_location) return sites.change(from, to);
    const old = this.#location;
    const location = await this.#occupy(to);
    this.#location = location;
    try {
      await sites.change(from, to);
    } catch (error) {
      this.#location = old;
      await location.leave();
      throw error;
    }
    await old?.leave();
  }

  #occupy({ backup_location: path }: DaemonConfig): Promise<BackupLocation> {
    return BackupLocation.occupy(path, this.#deps);
  }
}
