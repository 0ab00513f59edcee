import type { DaemonConfig, SiteConfig } from '../config/load.ts';
import { explain } from '../lib/errors.ts';
import { alertSiteOptions } from './alerts/options.ts';
import { type DaemonParts, settingsForSites } from './daemon-parts.ts';
import { Site } from './site.ts';

const mendMs = 5_000;

/** The sites of a daemon, kept in line with its configuration. */
export class SiteSet {
  readonly #parts: Omit<DaemonParts, 'config'>;
  readonly #sites = new Map<string, Site>();
  /** What each running site was made of. */
  readonly #settings = new Map<string, string>();
  readonly #end = new AbortController();
  #config: DaemonConfig | undefined;
  #mending: Promise<void> = Promise.resolve();
  #turns: Promise<void> = Promise.resolve();

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

  /** Opens all sites of a configuration, without starting them. One whose spool cannot be used keeps no other from being opened. */
  async open(config: DaemonConfig): Promise<void> {
    this.#config = config;
    for (const name of Object.keys(config.backup_sites)) await this.#open(name, config, true);
  }

  start(): void {
    for (const site of this.all) site.start();
    this.#mending = this.#mendAgainAndAgain();
  }

  /** Goes over from one configuration to another. If a site of the new one cannot be opened, everything goes back and this rejects with the reason. */
  change(from: DaemonConfig, to: DaemonConfig): Promise<void> {
    return this.#inTurn(async () => {
      const inTrouble = new Set(this.#inTrouble.map(({ name }) => name));
      try {
        await this.#apply(to, (name) => inTrouble.has(name));
        this.#config = to;
      } catch (error) {
        await this.#apply(from, () => true).catch((again: unknown) =>
          this.#parts.log.error({}, `cannot go back to the old configuration: ${explain(again)}`),
        );
        throw error;
      }
    });
  }

  async drain(): Promise<void> {
    await this.#stopMending();
    await Promise.all(this.all.map((site) => site.drain()));
  }

  async close(): Promise<void> {
    await this.#stopMending();
    await Promise.all(this.all.map((site) => site.close()));
  }

  get #inTrouble(): readonly Site[] {
    return this.all.filter(({ trouble }) => trouble !== undefined);
  }

  async #mendAgainAndAgain(): Promise<void> {
    const { clock, log } = this.#parts;
    while (!this.#end.signal.aborted) {
      await this.#inTurn(() => this.#mend()).catch((error: unknown) => log.error({}, `a site cannot be opened: ${explain(error)}`));
      await clock.sleep(mendMs, this.#end.signal).catch(() => {});
    }
  }

  async #mend(): Promise<void> {
    for (const site of this.#inTrouble) {
      if (this.#config === undefined || this.#end.signal.aborted) return;
      if (await site.isMended()) await this.#replace(site.name, this.#config, true);
    }
  }

  async #stopMending(): Promise<void> {
    this.#end.abort();
    await this.#mending;
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#turns.then(work);
    this.#turns = done.catch(() => {});
    return done;
  }

  /** A site whose settings are the same goes on undisturbed. */
  async #apply(config: DaemonConfig, mayBeInTrouble: (name: string) => boolean): Promise<void> {
    const names = new Set([...this.#sites.keys(), ...Object.keys(config.backup_sites)]);
    for (const name of names) {
      if (this.#settings.get(name) !== settingsOf(config, name)) await this.#replace(name, config, mayBeInTrouble(name));
    }
  }

  /**
   * A site that is closed answers "ask again" until its successor is open: PostgreSQL would end a recovery if it heard meanwhile that there is
   * no such site.
   */
  async #replace(name: string, config: DaemonConfig, mayBeInTrouble: boolean): Promise<void> {
    const running = this.#sites.get(name);
    const isWanted = config.backup_sites[name] !== undefined;
    if (!isWanted) this.#sites.delete(name);
    this.#settings.delete(name);
    await running?.close();
    if (isWanted) (await this.#open(name, config, mayBeInTrouble)).start();
  }

  async #open(name: string, config: DaemonConfig, mayBeInTrouble: boolean): Promise<Site> {
    const siteConfig = config.backup_sites[name];
    if (siteConfig === undefined) throw new Error(`no site ${name}`);
    const site = await Site.open({ ...this.#parts, config }, siteConfig);
    if (site.trouble !== undefined && !mayBeInTrouble) {
      await site.close();
      throw site.trouble;
    }
    this.#sites.set(name, site);
    this.#settings.set(name, settingsOf(config, name) ?? '');
    await this.#parts.alerts.clear('upload_retries_warning', name);
    this.#parts.alerts.doubt(name);
    await this.#tell(site);
    return site;
  }

  async #tell({ name, config, trouble }: Site): Promise<void> {
    const alerts = this.#parts.alerts.from('spool');
    if (trouble === undefined) await alerts.clear('spool_unusable', name);
    else if (config.active) await alerts.raise('spool_unusable', name, explain(trouble));
    else this.#parts.log.warn({ site: name }, explain(trouble));
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
