import type { DaemonConfig } from '../../config/load.ts';
import { DiskRooms } from './disk-rooms.ts';
import type { HeartbeatView } from './heartbeat.ts';
import { SiteWatch, type SiteWatchDeps, type WatchedSite } from './site-watch.ts';

export interface SiteWatchesDeps extends Omit<SiteWatchDeps, 'name' | 'site'> {
  readonly sites: ReadonlyMap<string, WatchedSite>;
}

/** A watch for every site of the configuration, however often the site itself is made anew, and one for the disks of them all. */
export class SiteWatches {
  readonly #deps: SiteWatchesDeps;
  readonly #watches = new Map<string, SiteWatch>();
  readonly #disks: DiskRooms;

  constructor(deps: SiteWatchesDeps) {
    this.#deps = deps;
    this.#disks = new DiskRooms(deps);
  }

  async start(config: DaemonConfig): Promise<void> {
    this.#disks.start();
    await this.follow(config);
  }

  /** By name of the site; of those only that have one. */
  get heartbeats(): Readonly<Record<string, HeartbeatView>> {
    return Object.fromEntries(
      [...this.#watches].flatMap(([name, { heartbeat }]): [string, HeartbeatView][] =>
        heartbeat === undefined ? [] : [[name, heartbeat]],
      ),
    );
  }

  async follow({ backup_sites: sites }: DaemonConfig): Promise<void> {
    const gone = [...this.#watches].filter(([name]) => sites[name] === undefined);
    for (const [name] of gone) this.#watches.delete(name);
    for (const name of Object.keys(sites)) {
      if (!this.#watches.has(name)) this.#watches.set(name, new SiteWatch({ ...this.#deps, name, site: () => this.#deps.sites.get(name) }));
    }
    await Promise.all(gone.map(([, watch]) => watch.close()));
  }

  async close(): Promise<void> {
    await Promise.all([this.#disks.close(), ...[...this.#watches.values()].map((watch) => watch.close())]);
  }
}
