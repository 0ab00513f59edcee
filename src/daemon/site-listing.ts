import type { BasebackupEntry } from '../catalog/basebackup-entry.ts';
import type { BasebackupListing, Catalog } from '../catalog/catalog.ts';
import { preservedUntil } from '../catalog/preservation.ts';
import type { Clock } from '../lib/clock.ts';

const listingMsMax = 300_000;

export interface SiteListingDeps {
  readonly catalog: Catalog;
  /** That of the site, and of those sites that it was moved from which are of the same cluster: their base backups count as its own. */
  readonly relatives: (signal: AbortSignal) => Promise<readonly Catalog[]>;
  readonly clock: Clock;
}

/** What was found by listing anew. */
export interface FreshListing {
  /** What the site has itself. */
  readonly own: BasebackupListing;
  /** What the sites have that it was moved from. */
  readonly elsewhere: readonly BasebackupEntry[];
}

/** The base backups that count for a site, as they were listed last. */
export class SiteListing {
  readonly #deps: SiteListingDeps;
  #current: BasebackupListing | undefined;
  #preserved: ReadonlyMap<string, Date> = new Map();
  #listedAtMs = Number.NEGATIVE_INFINITY;
  /** Listings are numbered as they begin. */
  #begun = 0;
  #listed = 0;
  /** Older ones will not do. */
  #needed = 1;

  constructor(deps: SiteListingDeps) {
    this.#deps = deps;
  }

  /** In ascending order of start; undefined until they are listed for the first time. */
  get current(): BasebackupListing | undefined {
    return this.#current;
  }

  /** Until when base backups are preserved, by name. */
  get preserved(): ReadonlyMap<string, Date> {
    return this.#preserved;
  }

  /** They have changed since, by what the daemon did itself. */
  get isOld(): boolean {
    return this.#listed < this.#needed;
  }

  /** Has them listed anew at the next look: one that is under way may be past what has changed. Returns what tells whether that has been done. */
  outdate(): () => boolean {
    const needed = this.#begun + 1;
    this.#needed = needed;
    return () => this.#listed >= needed;
  }

  /** Resolves to undefined while what is known is fresh enough. */
  async refresh(signal: AbortSignal): Promise<FreshListing | undefined> {
    const { catalog, relatives, clock } = this.#deps;
    if (!this.isOld && clock.monotonicMs() - this.#listedAtMs < listingMsMax) return undefined;
    const number = ++this.#begun;
    const catalogs = await relatives(signal);
    const [own = { entries: [], unreadable: [] }, ...moved] = await Promise.all(catalogs.map((each) => each.basebackups(signal)));
    const elsewhere = moved.flatMap(({ entries }) => entries);
    const entries = [...own.entries, ...elsewhere].toSorted((a, b) => a.startTime.getTime() - b.startTime.getTime());
    this.#current = { entries, unreadable: own.unreadable };
    this.#listed = number;
    this.#listedAtMs = clock.monotonicMs();
    // Pruning asks again, and is the one who complains.
    this.#preserved = await preservedUntil(catalog, signal).catch(() => this.#preserved);
    return { own, elsewhere };
  }

  /** Base backups of the site itself have been deleted: their WAL is gone with them, so nobody must take it for missing. */
  deleted(names: readonly string[], { elsewhere }: FreshListing): void {
    if (this.#current === undefined || names.length === 0) return;
    const stays = (entry: BasebackupEntry) => elsewhere.includes(entry) || !names.includes(entry.name);
    this.#current = { ...this.#current, entries: this.#current.entries.filter(stays) };
  }
}
