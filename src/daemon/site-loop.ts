import type { UsedNames } from '../basebackup/used-names.ts';
import type { BasebackupListing, Catalog } from '../catalog/catalog.ts';
import type { SiteConfig } from '../config/load.ts';
import { explain, OperatorError } from '../lib/errors.ts';
import { countFailure } from '../lib/metrics.ts';
import { shuttingDown } from '../lib/shutting-down.ts';
import type { PendingConfirmation } from '../retention/confirmation.ts';
import type { Spool } from '../transfer/spool.ts';
import type { Admission } from './admission.ts';
import type { ClusterWatch } from './cluster-watch.ts';
import type { DaemonParts } from './daemon-parts.ts';
import { LastWal } from './last-wal.ts';
import type { Ownership } from './ownership.ts';
import type { RequestedBasebackup } from './requested-basebackup.ts';
import { type Schedule, scheduleOf } from './schedule.ts';
import type { ServerWatch } from './servers/server-watch.ts';
import { SiteBackups, type SiteBackupsDeps } from './site-backups.ts';
import { SiteListing } from './site-listing.ts';
import { SitePass } from './site-pass.ts';
import { SiteRetention } from './site-retention.ts';

const passMs = 5_000;
/** While passes fail, most often because the store does not answer. */
const passMsMax = 30_000;

export interface SiteLoopDeps {
  readonly parts: DaemonParts;
  readonly site: SiteConfig;
  readonly catalog: Catalog;
  /** That of the site, and of those sites that it was moved from which are of the same cluster: their base backups count as its own. */
  readonly relatives: (signal: AbortSignal) => Promise<readonly Catalog[]>;
  readonly spool: Spool;
  readonly cluster: ClusterWatch;
  readonly admission: Admission;
  readonly ownership: Ownership;
  readonly servers: ServerWatch;
  readonly requested: RequestedBasebackup;
  readonly names: UsedNames;
  readonly programs: SiteBackupsDeps['programs'];
  /** Why the WAL of a base backup would not arrive. */
  readonly walObstacle: () => string | undefined;
  /** Why it is not going to be started. */
  readonly because?: string | undefined;
}

/** What a site does by itself, again and again: observe, decide the next step, act. Nothing that goes wrong in a pass ends it, or touches another site. */
export class SiteLoop {
  readonly #deps: SiteLoopDeps;
  readonly #listing: SiteListing;
  readonly #backups: SiteBackups;
  readonly #retention: SiteRetention;
  readonly #lastWal: LastWal;
  readonly #pass: SitePass;
  readonly #end = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #wake = new AbortController();

  constructor(deps: SiteLoopDeps) {
    this.#deps = deps;
    this.#listing = new SiteListing({ ...deps, clock: deps.parts.clock });
    this.#retention = new SiteRetention(deps);
    this.#lastWal = new LastWal({ ...deps, ...deps.parts });
    const onTaken = () => {
      this.#listing.outdate();
      this.#retention.basebackupTaken();
    };
    this.#backups = new SiteBackups({ ...deps, onTaken, onEnd: () => this.lookAgain() });
    const does = { listing: this.#listing, backups: this.#backups, retention: this.#retention, lastWal: this.#lastWal };
    this.#pass = new SitePass({ ...deps, ...does }, deps.because ?? 'just started');
  }

  /** The base backups as they were listed last; undefined until then. */
  get listing(): BasebackupListing | undefined {
    return this.#listing.current;
  }

  /** The base backups have changed since they were listed, by what this loop did itself. */
  get isListingOld(): boolean {
    return this.#listing.isOld;
  }

  /** The base backup of this site that is being taken, or the last one that was; undefined before the first. */
  get backupActivity(): SiteBackups['activity'] {
    return this.#backups.activity;
  }

  /** The base backup that is being taken. */
  get runningBackup(): SiteBackups['current'] {
    return this.#backups.current;
  }

  /** In a row, since the last base backup that was completed. */
  get backupFailures(): number {
    return this.#backups.failures.failures;
  }

  /** Why the last base backup failed; undefined where it did not. */
  get backupFailureBecause(): string | undefined {
    return this.#backups.failedBecause;
  }

  /** Until when base backups are preserved, by name. */
  get preserved(): ReadonlyMap<string, Date> {
    return this.#listing.preserved;
  }

  /** Why something that retention is to delete is still there. */
  get retentionPostponed(): string | undefined {
    return this.#retention.postponed;
  }

  /** What retention deletes only if somebody says that it is meant. */
  get pendingDeletion(): PendingConfirmation | undefined {
    return this.#retention.pending;
  }

  /** Base backups that are only kept for themselves, see `SiteRetention`. */
  get keptAlone(): ReadonlySet<string> {
    return this.listing === undefined ? new Set() : this.#retention.keptAlone(this.listing);
  }

  get schedule(): Schedule {
    return scheduleOf(this.#deps.site);
  }

  /** Since when a base backup is waited for that somebody requested; undefined where none is. */
  get requestedSince(): Date | undefined {
    return this.#deps.requested.waitingSince;
  }

  /** When the next scheduled base backup is due, where nothing keeps from it; undefined where none is, or one is being begun. */
  get dueAt(): Date | undefined {
    return this.#pass.dueAt;
  }

  /** Why the site is doing what it does. */
  get because(): string {
    return this.#pass.because;
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Has it look again at once, because something changed that it waits for. */
  lookAgain(): void {
    this.#wake.abort();
  }

  /** Has it list the base backups anew, as they may have changed by what others did. Returns what tells whether they have been listed since. */
  listAgain(): () => boolean {
    const isListed = this.#listing.outdate();
    this.lookAgain();
    return isListed;
  }

  /** Who becomes the one that prunes looks at what there is by now. */
  ownershipChanged(): void {
    if (this.#deps.ownership.isHeld) this.#listing.outdate();
    this.lookAgain();
  }

  /** Once this resolves, one will be taken, whatever happens to this process. */
  async requestBasebackup(): Promise<void> {
    const { site } = this.#deps;
    if (!site.active) throw new OperatorError('site-inactive', `site ${site.name} is not active: it takes no base backups`);
    this.#requireOwn('Ask that one for a base backup.');
    await this.#backups.request();
    this.lookAgain();
  }

  /** Throws `retention-not-pending` where the deletion with this digest does not wait for it. */
  confirmDeletion(digest: string): void {
    this.#requireOwn('Confirm it there.');
    this.#retention.confirm(digest);
    this.#listing.outdate();
    this.lookAgain();
  }

  /** Ends the loop and a base backup that is being taken, of which nothing stays. */
  async stop(): Promise<void> {
    this.#end.abort(shuttingDown(`site ${this.#deps.site.name}`));
    await this.#running;
    await Promise.all([this.#backups.stop(), this.#lastWal.stop()]);
  }

  async #run(): Promise<void> {
    const { clock, metrics, log } = this.#deps.parts;
    let failures = 0;
    let told: string | undefined;
    while (!this.#end.signal.aborted) {
      try {
        await this.#watchedPass();
        failures = 0;
        told = undefined;
      } catch (error) {
        failures++;
        if (!this.#end.signal.aborted) countFailure(metrics, 'pghoard_run', error);
        const text = `a pass over the site failed: ${explain(error)}`;
        if (!this.#end.signal.aborted && text !== told) log.error({ site: this.#deps.site.name }, text);
        told = text;
      }
      const delayMs = Math.min(passMs * Math.max(failures, 1), passMsMax);
      if (this.#wake.signal.aborted) this.#wake = new AbortController();
      else await clock.sleep(delayMs, AbortSignal.any([this.#end.signal, this.#wake.signal])).catch(() => {});
    }
  }

  /** Nothing of it may hang for ever: each part is given up in time, and the whole is what systemd's watchdog looks at. */
  async #watchedPass(): Promise<void> {
    const { parts, site } = this.#deps;
    const job = parts.jobs.begin({ site: site.name, kind: 'site', what: `the pass over site ${site.name}` });
    try {
      await this.#pass.run(this.#end.signal, job.progress);
    } finally {
      job.end();
    }
  }

  #requireOwn(hint: string): void {
    const { ownership, site } = this.#deps;
    if (ownership.standing !== 'elsewhere') return;
    throw new OperatorError('lease-elsewhere', `site ${site.name}: ${ownership.hindrance}`, { hint });
  }
}
