import type { BasebackupEntry } from '../catalog/basebackup-entry.ts';
import { type BasebackupListing, Catalog } from '../catalog/catalog.ts';
import type { SiteConfig } from '../config/load.ts';
import type { RetentionRules } from '../retention/decide.ts';
import { type PruneResult, prune } from '../retention/prune.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { withChecks } from '../storage/with-checks.ts';
import type { DaemonParts } from './daemon-parts.ts';
import type { Ownership } from './ownership.ts';
import { privateKeysOf } from './site-keys.ts';

const dayMs = 86_400_000;
/** Uploads that were interrupted so long ago are nobody's any more, whichever host began them. */
const unfinishedMs = 7 * dayMs;

export interface SiteRetentionDeps {
  readonly parts: Pick<DaemonParts, 'clock' | 'log' | 'pool'>;
  readonly site: SiteConfig;
  readonly catalog: Catalog;
  readonly ownership: Pick<Ownership, 'confirm' | 'requireHeld'>;
}

/** Deletes what a site no longer needs, while it is for this daemon to do that. */
export class SiteRetention {
  readonly #deps: SiteRetentionDeps;
  #pruneAllWal = true;
  #postponed: string | undefined;
  #sweptAtMs = Number.NEGATIVE_INFINITY;

  constructor(deps: SiteRetentionDeps) {
    this.#deps = deps;
  }

  /** Why something that is to go is still there. */
  get postponed(): string | undefined {
    return this.#postponed;
  }

  /** There may be WAL to delete although no base backup goes. */
  basebackupTaken(): void {
    this.#pruneAllWal = true;
  }

  /** Sites that this one was moved from keep what they have, and their backups (`elsewhere`) may need WAL of this one. */
  async run(listing: BasebackupListing, elsewhere: readonly BasebackupEntry[], signal: AbortSignal): Promise<PruneResult> {
    const { parts, catalog, site, ownership } = this.#deps;
    await ownership.confirm(signal);
    const store = withChecks(catalog.store, { beforeDelete: () => ownership.requireHeld() });
    const manifests = { pool: parts.pool, storage: site.object_storage, privateKeys: privateKeysOf(site) };
    const log = parts.log.child({ site: site.name });
    const deps = { catalog: new Catalog(store, catalog.keys), log, signal, manifests };
    const wal = this.#pruneAllWal ? 'always' : 'if-a-backup-goes';
    const result = await prune(listing, retentionRulesOf(site), parts.clock.now(), deps, wal, elsewhere);
    const postponed = result.postponed ?? result.locked;
    if (postponed !== undefined && postponed !== this.#postponed) log.info({}, postponed);
    this.#postponed = postponed;
    if (result.postponed === undefined) this.#pruneAllWal = false;
    await this.#sweepUnfinished(store, signal);
    return result;
  }

  /** Once a day. */
  async #sweepUnfinished(store: ObjectStore, signal: AbortSignal): Promise<void> {
    const { parts, catalog, site } = this.#deps;
    if (parts.clock.monotonicMs() - this.#sweptAtMs < dayMs) return;
    const before = new Date(parts.clock.now().getTime() - unfinishedMs);
    const uploads = await store.removeUnfinished(catalog.keys.sitePrefix, { before, signal });
    this.#sweptAtMs = parts.clock.monotonicMs();
    if (uploads > 0) parts.log.info({ site: site.name, uploads }, 'removed what interrupted uploads had left in the store');
  }
}

function retentionRulesOf(site: SiteConfig): RetentionRules {
  return {
    countMax: site.basebackup_count ?? undefined,
    ageDaysMax: site.basebackup_age_days_max ?? undefined,
    countMin: site.basebackup_count_min,
    intervalHours: site.basebackup_interval_hours ?? 0,
  };
}
