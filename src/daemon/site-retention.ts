import type { BasebackupEntry } from '../catalog/basebackup-entry.ts';
import { type BasebackupListing, Catalog } from '../catalog/catalog.ts';
import type { SiteConfig } from '../config/load.ts';
import { OperatorError } from '../lib/errors.ts';
import { type Deletion, isCovered, type PendingConfirmation } from '../retention/confirmation.ts';
import { decideRetention } from '../retention/decide.ts';
import { type PruneResult, prune } from '../retention/prune.ts';
import { retainable } from '../retention/retainable.ts';
import { soundTime } from '../retention/sound-time.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { passOn } from '../storage/pass-on.ts';
import { withChecks } from '../storage/with-checks.ts';
import type { DaemonParts } from './daemon-parts.ts';
import type { Ownership } from './ownership.ts';
import { retentionRulesOf } from './retention-rules.ts';
import { privateKeysOf } from './site-keys.ts';

const dayMs = 86_400_000;
/** Uploads that were interrupted so long ago are nobody's any more, whichever host began them. */
const unfinishedMs = 7 * dayMs;
/** So long a base backup's last WAL may well be on its way. */
const onItsWayMs = 15 * 60_000;
/** As many keys as stores give at once. */
const listedPerWord = 1000;

export interface SiteRetentionDeps {
  readonly parts: Pick<DaemonParts, 'clock' | 'log' | 'pool'> & { readonly alerts: Pick<DaemonParts['alerts'], 'clear' | 'raise'> };
  readonly site: SiteConfig;
  readonly catalog: Catalog;
  readonly ownership: Pick<Ownership, 'confirm' | 'requireHeld'>;
}

/** Deletes what a site no longer needs, while it is for this daemon to do that. */
export class SiteRetention {
  readonly #deps: SiteRetentionDeps;
  #pruneAllWal = true;
  #postponed: string | undefined;
  #pending: PendingConfirmation | undefined;
  /** What somebody said is meant; it also covers what an interruption leaves of it. */
  #confirmed: Deletion | undefined;
  #sweptAtMs = Number.NEGATIVE_INFINITY;
  #waitingSinceMs: number | undefined;
  #hasStoodDown = false;

  constructor(deps: SiteRetentionDeps) {
    this.#deps = deps;
  }

  /** Why something that is to go is still there. */
  get postponed(): string | undefined {
    return this.#postponed;
  }

  /** What waits for somebody to say that it is meant. */
  get pending(): PendingConfirmation | undefined {
    return this.#pending;
  }

  /** What is to go may go any moment: when the last WAL of a new base backup is stored. */
  get isWaitingForWal(): boolean {
    return this.#waitingSinceMs !== undefined && this.#deps.parts.clock.monotonicMs() - this.#waitingSinceMs < onItsWayMs;
  }

  /** There may be WAL to delete although no base backup goes. */
  basebackupTaken(): void {
    this.#pruneAllWal = true;
    this.#waitingSinceMs = undefined;
  }

  /** Another daemon decides from now on. */
  async standDown(): Promise<void> {
    if (this.#hasStoodDown) return;
    this.#hasStoodDown = true;
    this.#pending = undefined;
    this.#postponed = undefined;
    await this.#deps.parts.alerts.clear('retention_confirmation', this.#deps.site.name);
  }

  /** Has the next pass delete what waits for it. Throws `retention-not-pending` where that is not, or no longer, just this. */
  confirm(digest: string): void {
    const pending = this.#pending;
    if (pending?.digest !== digest) throw notPending(this.#deps.site.name, digest, pending);
    this.#confirmed = pending;
    this.#pruneAllWal = true;
    this.#deps.parts.log.info({ site: this.#deps.site.name, digest }, `confirmed: ${pending.because}`);
  }

  /** Base backups that are only kept for themselves: WAL behind them is not missing. */
  keptAlone(listing: BasebackupListing): ReadonlySet<string> {
    const { site, parts } = this.#deps;
    if (site.keep === null) return new Set();
    const backups = listing.entries.map((entry) => retainable(entry));
    const decision = decideRetention(backups, retentionRulesOf(site), parts.clock.now());
    return new Set(decision.backups.filter(({ wal }) => wal !== 'onwards').map(({ name }) => name));
  }

  /** Sites that this one was moved from keep what they have, and their backups (`elsewhere`) may need WAL of this one. */
  async run(
    listing: BasebackupListing,
    elsewhere: readonly BasebackupEntry[],
    signal: AbortSignal,
    onProgress: () => void = () => {},
  ): Promise<PruneResult> {
    const { parts, catalog, site, ownership } = this.#deps;
    await ownership.confirm(signal, onProgress);
    this.#hasStoodDown = false;
    const beforeDelete = () => {
      onProgress();
      ownership.requireHeld();
    };
    const store = withChecks(watchedListings(catalog.store, onProgress), { beforeDelete });
    const manifests = { pool: parts.pool, storage: site.object_storage, privateKeys: privateKeysOf(site) };
    const log = parts.log.child({ site: site.name });
    const deps = { catalog: new Catalog(store, catalog.keys), log, signal, manifests };
    const result = await prune(listing, retentionRulesOf(site), parts.clock.now(), deps, {
      walPruning: this.#pruneAllWal ? 'always' : 'if-a-backup-goes',
      elsewhere,
      isConfirmed: (deletion) => !site.retention_confirmation || isCovered(deletion, this.#confirmed),
    });
    await this.#tell(result);
    this.#waitingSinceMs = result.postponed === undefined ? undefined : (this.#waitingSinceMs ?? parts.clock.monotonicMs());
    if (result.postponed === undefined && result.confirmation === undefined) this.#pruneAllWal = false;
    await this.#sweepUnfinished(store, soundTime(listing.entries, parts.clock.now()), signal);
    return result;
  }

  async #tell({ postponed, confirmation, locked }: PruneResult): Promise<void> {
    const { parts, site } = this.#deps;
    const asking = confirmation && `nothing is deleted until it is confirmed: ${wordsFor(site.name, confirmation)}`;
    const because = asking ?? postponed ?? locked;
    if (because !== undefined && because !== this.#postponed) parts.log.info({ site: site.name }, because);
    this.#postponed = because;
    if (asking !== undefined) {
      // What is asked for may have changed since.
      if (confirmation?.digest !== this.#pending?.digest) await parts.alerts.clear('retention_confirmation', site.name);
      await parts.alerts.raise('retention_confirmation', site.name, asking);
    } else await parts.alerts.clear('retention_confirmation', site.name);
    this.#pending = confirmation;
  }

  /** Once a day. */
  async #sweepUnfinished(store: ObjectStore, now: Date, signal: AbortSignal): Promise<void> {
    const { parts, catalog, site } = this.#deps;
    if (parts.clock.monotonicMs() - this.#sweptAtMs < dayMs) return;
    const before = new Date(now.getTime() - unfinishedMs);
    const uploads = await store.removeUnfinished(catalog.keys.sitePrefix, { before, signal });
    this.#sweptAtMs = parts.clock.monotonicMs();
    if (uploads > 0) parts.log.info({ site: site.name, uploads }, 'removed what interrupted uploads had left in the store');
  }
}

/** Listing millions of WAL files takes a while, and is no standstill. */
function watchedListings(store: ObjectStore, onProgress: () => void): ObjectStore {
  return {
    ...passOn(store),
    async *list(prefix, options) {
      let seen = 0;
      for await (const info of store.list(prefix, options)) {
        if (seen++ % listedPerWord === 0) onProgress();
        yield info;
      }
    },
  };
}

function wordsFor(site: string, { because, digest }: PendingConfirmation): string {
  return `${because}. If that is meant: pghoard retention --site ${site} --confirm ${digest}`;
}

function notPending(site: string, digest: string, pending: PendingConfirmation | undefined): OperatorError {
  if (pending === undefined) return new OperatorError('retention-not-pending', `site ${site}: no deletion waits for a confirmation`);
  return new OperatorError('retention-not-pending', `site ${site}: ${digest} is not what waits for a confirmation`, {
    hint: `Look at what does: ${wordsFor(site, pending)}`,
  });
}
