import type { UsedNames } from '../basebackup/used-names.ts';
import type { BasebackupListing, Catalog } from '../catalog/catalog.ts';
import type { SiteConfig } from '../config/load.ts';
import { explain, OperatorError } from '../lib/errors.ts';
import { isThere } from '../lib/is-there.ts';
import { countFailure } from '../lib/metrics.ts';
import { shuttingDown } from '../lib/shutting-down.ts';
import type { PendingConfirmation } from '../retention/confirmation.ts';
import type { Spool } from '../transfer/spool.ts';
import type { Admission } from './admission.ts';
import { backupViews } from './backup-views.ts';
import { readsDataDirectory } from './basebackup-mode.ts';
import type { ClusterWatch } from './cluster-watch.ts';
import type { DaemonParts } from './daemon-parts.ts';
import { LastWal } from './last-wal.ts';
import { nextStep } from './next-step.ts';
import type { Ownership } from './ownership.ts';
import type { RequestedBasebackup } from './requested-basebackup.ts';
import { type Schedule, scheduleOf } from './schedule.ts';
import { ScheduleClock } from './schedule-clock.ts';
import { serversForBasebackup } from './servers/basebackup-servers.ts';
import type { BasebackupChoice } from './servers/choose-for-basebackup.ts';
import type { ServerWatch } from './servers/server-watch.ts';
import { SiteBackups, type SiteBackupsDeps } from './site-backups.ts';
import { type FreshListing, SiteListing } from './site-listing.ts';
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
  readonly #clock: ScheduleClock;
  readonly #backups: SiteBackups;
  readonly #retention: SiteRetention;
  readonly #lastWal: LastWal;
  readonly #end = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #wake = new AbortController();
  #because: string;
  #dueAt: Date | undefined;

  constructor(deps: SiteLoopDeps) {
    this.#deps = deps;
    this.#because = deps.because ?? 'just started';
    this.#listing = new SiteListing({ ...deps, clock: deps.parts.clock });
    this.#clock = new ScheduleClock(deps.parts.clock);
    this.#retention = new SiteRetention(deps);
    this.#lastWal = new LastWal({ ...deps, ...deps.parts });
    const onTaken = () => {
      this.#listing.outdate();
      this.#retention.basebackupTaken();
    };
    this.#backups = new SiteBackups({ ...deps, onTaken, onEnd: () => this.lookAgain() });
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
    return this.#dueAt;
  }

  /** Why the site is doing what it does. */
  get because(): string {
    return this.#because;
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
      await this.#pass(job.progress);
    } finally {
      job.end();
    }
  }

  async #pass(progress: () => void): Promise<void> {
    const { site, parts, cluster, admission } = this.#deps;
    const server = { site: site.name, kind: 'server', what: 'the look at the data directory' } as const;
    await parts.jobs.run(server, this.#end.signal, () => cluster.readDataDirectory());
    progress();
    const listing = { site: site.name, kind: 'listing', what: 'the listing of base backups' } as const;
    const fresh = await parts.jobs.run(listing, this.#end.signal, async (signal) => {
      if (site.active) await admission.check(signal);
      return this.#listing.refresh(signal);
    });
    progress();
    const entries = this.#listing.current?.entries ?? [];
    if (fresh) this.#clock.note(entries);
    if (fresh) await this.#deps.names.note(fresh.own.entries.map(({ name }) => name));
    if (fresh) await this.#deps.requested.lookFor(entries);
    if (this.#mayPrune()) this.#lastWal.look(entries);
    const pruning = fresh && this.#mayPrune() ? await this.#prune(fresh).catch((error: unknown) => ({ error })) : undefined;
    progress();
    if (!site.active || this.#deps.ownership.standing === 'elsewhere') await this.#retention.standDown();
    const now = this.#clock.now();
    const source = await serversForBasebackup(site, this.#deps.servers, this.#backups.failures.failures);
    const step = nextStep(await this.#view(source, now), scheduleOf(site), now);
    if (step.because !== this.#because) parts.log.debug({ site: site.name }, step.because);
    this.#because = step.because;
    this.#dueAt = step.do === 'idle' ? step.dueAt : undefined;
    if (step.do === 'take-basebackup' && 'order' in source) this.#backups.begin(step, now, source);
    // What keeps old base backups from being deleted must not keep new ones from being taken.
    if (pruning) throw pruning.error;
  }

  async #view(source: BasebackupChoice, now: Date) {
    const { site, parts } = this.#deps;
    const { failures, lastFailure } = this.#backups.failures;
    const aheadMs = now.getTime() - parts.clock.now().getTime();
    return {
      active: site.active,
      maintenance: await isThere(parts.config.maintenance_mode_file),
      obstacle: this.#obstacle(source) ?? (await this.#backups.roomObstacle()),
      standby: this.#deps.ownership.hindrance,
      running: this.#backups.isRunning,
      requested: this.#deps.requested.isWanted,
      backups: this.listing && backupViews(this.listing.entries, scheduleOf(site)),
      failures,
      // Told by the clock on the wall.
      lastFailure: lastFailure && new Date(lastFailure.getTime() + aheadMs),
      retriesMax: site.basebackup_mode === 'delta' ? site.basebackup_delta_mode_max_retries : undefined,
    };
  }

  #obstacle(source: BasebackupChoice): string | undefined {
    const { basebackup_mode: mode, nodes } = this.#deps.site;
    if (nodes.length === 0) return 'the site names no server (nodes)';
    const { obstacle } = this.#deps.admission;
    if (obstacle !== undefined) return obstacle;
    const walObstacle = this.#deps.walObstacle();
    if (walObstacle !== undefined) return walObstacle;
    const unreadable = readsDataDirectory(mode) ? this.#deps.cluster.obstacle : undefined;
    return unreadable ?? ('obstacle' in source ? source.obstacle : undefined);
  }

  #mayPrune(): boolean {
    const { site, admission, ownership } = this.#deps;
    return site.active && admission.obstacle === undefined && ownership.isHeld && !this.#backups.isRunning;
  }

  async #prune(fresh: FreshListing): Promise<void> {
    const { parts, site } = this.#deps;
    const job = { site: site.name, kind: 'retention', what: 'the deletion of what is no longer needed' } as const;
    const { basebackups } = await parts.jobs.run(job, this.#end.signal, (signal, progress) =>
      this.#retention.run(fresh.own, fresh.elsewhere, signal, progress),
    );
    this.#listing.deleted(basebackups, fresh);
    if (this.#retention.isWaitingForWal || basebackups.length > 0) this.#listing.outdate();
  }

  #requireOwn(hint: string): void {
    const { ownership, site } = this.#deps;
    if (ownership.standing !== 'elsewhere') return;
    throw new OperatorError('lease-elsewhere', `site ${site.name}: ${ownership.hindrance}`, { hint });
  }
}
