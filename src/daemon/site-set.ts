import type { DaemonConfig, SiteConfig } from '../config/load.ts';
import { explain } from '../lib/errors.ts';
import { alertSiteOptions } from './alerts/options.ts';
import { type DaemonParts, settingsForSites } from './daemon-parts.ts';
import { Site } from './site.ts';

/** The sites of a daemon, kept in line with its configuration. */
export class SiteSet {
  readonly #parts: Omit<DaemonParts, 'config'>;
  readonly #sites = new Map<string, Site>();
  /** What each running site was made of. */
  readonly #settings = new Map<string, string>();

  constructor(parts: Omit<DaemonParts, 'config'>) {
    this.#parts = parts;
  }

  /** Changes as sites come and go. */
  get byName(): ReadonlyMap<string, Site> {
    return this.#sites;
  }

  get all(): readonly Site[] {
    return [...this.#sites.values()];
  }

  /** Opens all sites of a configuration, without starting them. */
  async open(config: DaemonConfig): Promise<void> {
    for (const name of Object.keys(config.backup_sites)) await this.#open(name, config);
  }

  /** Goes over from one configuration to another. If a site of the new one cannot be opened, everything goes back and this rejects with the reason. */
  async change(from: DaemonConfig, to: DaemonConfig): Promise<void> {
    try {
      await this.#apply(to);
    } catch (error) {
      await this.#apply(from).catch((again: unknown) =>
        this.#parts.log.error({}, `cannot go back to the old configuration: ${explain(again)}`),
      );
      throw error;
    }
  }

  async drain(): Promise<void> {
    await Promise.all(this.all.map((site) => site.drain()));
  }

  async close(): Promise<void> {
    await Promise.all(this.all.map((site) => site.close()));
  }

  /** A site whose settings are the same goes on undisturbed. */
  async #apply(config: DaemonConfig): Promise<void> {
    const names = new Set([...this.#sites.keys(), ...Object.keys(config.backup_sites)]);
    for (const name of names) {
      if (this.#settings.get(name) !== settingsOf(config, name)) await this.#replace(name, config);
    }
  }

  /**
   * A site that is closed answers "ask again" until its successor is open: PostgreSQL would end a recovery if it heard meanwhile that there is
   * no such site.
   */
  async #replace(name: string, config: DaemonConfig): Promise<void> {
    const running = this.#sites.get(name);
    const isWanted = config.backup_sites[name] !== undefined;
    if (!isWanted) this.#sites.delete(name);
    this.#settings.delete(name);
    await running?.close();
    if (isWanted) (await this.#open(name, config)).start();
  }

  async #open(name: string, config: DaemonConfig): Promise<Site> {
    const siteConfig = config.backup_sites[name];
    if (siteConfig === undefined) throw new Error(`no site ${name}`);
    const site = await Site.open({ ...this.#parts, config }, siteConfig);
    this.#sites.set(name, site);
    this.#settings.set(name, settingsOf(config, name) ?? '');
    await this.#parts.alerts.clear('upload_retries_warning', name);
    this.#parts.alerts.doubt(name);
    return site;
  }
}

/** Who is told of a site takes effect without disturbing it. */
function withoutTellers(site: SiteConfig): Partial<SiteConfig> {
  return Object.fromEntries(Object.entries(site).filter(([key]) => !Object.hasOwn(alertSiteOptions.shape, key)));
}

/** What a site is made of, as text to compare; undefined where there is no such site. */
function settingsOf(config: DaemonConfig, name: string): string | undefined {
  const { backup_sites: sites } = config;
  const globals = settingsForSites.map((key) => config[key]);
  const related = sites[name]?.moved_from.map((other) => sites[other]);
  return sites[name] === undefined ? undefined : JSON.stringify([globals, withoutTellers(sites[name]), related]);
}
