import { access } from 'node:fs/promises';
import { takeBasebackup } from '../basebackup/basebackup.ts';
import type { BasebackupProgress } from '../basebackup/job.ts';
import type { BasebackupEntry } from '../catalog/basebackup-entry.ts';
import type { BasebackupListing, Catalog } from '../catalog/catalog.ts';
import type { Applicant } from '../catalog/identity-keeper.ts';
import { preservedUntil } from '../catalog/preservation.ts';
import type { SiteConfig } from '../config/load.ts';
import { explain, OperatorError } from '../lib/errors.ts';
import { shuttingDown } from '../lib/shutting-down.ts';
import type { Spool } from '../transfer/spool.ts';
import type { Admission } from './admission.ts';
import { backupViews } from './backup-views.ts';
import { basebackupJob, readsDataDirectory } from './basebackup-job.ts';
import type { ClusterWatch } from './cluster-watch.ts';
import type { DaemonParts } from './daemon-parts.ts';
import { nextStep, type Step } from './next-step.ts';
import type { Ownership } from './ownership.ts';
import type { Schedule } from './schedule.ts';
import { SiteRetention } from './site-retention.ts';

const passMs = 5_000;
/** While passes fail, most often because the store does not answer. */
const passMsMax = 30_000;
const listingMsMax = 300_000;

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
  /** Why the WAL of a base backup would not arrive. */
  readonly walObstacle: () => string | undefined;
}

type TakeBasebackup = Extract<Step, { do: 'take-basebackup' }>;

/** What a site does by itself, again and again: observe, decide the next step, act. Nothing that goes wrong in a pass ends it, or touches another site. */
export class SiteLoop {
  readonly #deps: SiteLoopDeps;
  readonly #retention: SiteRetention;
  readonly #end = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #wake = new AbortController();
  #listing: BasebackupListing | undefined;
  #preserved: ReadonlyMap<string, Date> = new Map();
  #listedAtMs = Number.NEGATIVE_INFINITY;
  #requested = false;
  #backup: Promise<void> | undefined;
  #progress: BasebackupProgress | undefined;
  #failures = 0;
  #lastFailure: Date | undefined;
  #lastActivity: Date | undefined;
  #because = 'just started';

  constructor(deps: SiteLoopDeps) {
    this.#deps = deps;
    this.#retention = new SiteRetention(deps);
  }

  /** The base backups as they were listed last; undefined until then. */
  get listing(): BasebackupListing | undefined {
    return this.#listing;
  }

  /** The base backups have changed since they were listed, by what this loop did itself. */
  get isListingOld(): boolean {
    return this.#listedAtMs === Number.NEGATIVE_INFINITY;
  }

  /** The base backup of this site that is being taken, or the last one that was; undefined before the first. */
  get backupActivity(): { readonly running: boolean; readonly latestActivity: Date; readonly progress?: BasebackupProgress } | undefined {
    if (this.#lastActivity === undefined) return undefined;
    return { running: this.#backup !== undefined, latestActivity: this.#lastActivity, ...(this.#progress && { progress: this.#progress }) };
  }

  /** Until when base backups are preserved, by name. */
  get preserved(): ReadonlyMap<string, Date> {
    return this.#preserved;
  }

  /** Why something that retention is to delete is still there. */
  get retentionPostponed(): string | undefined {
    return this.#retention.postponed;
  }

  get schedule(): Schedule {
    return scheduleOf(this.#deps.site);
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

  /** Who becomes the one that prunes looks at what there is by now. */
  ownershipChanged(): void {
    if (this.#deps.ownership.isHeld) this.#listedAtMs = Number.NEGATIVE_INFINITY;
    this.#wake.abort();
  }

  requestBasebackup(): void {
    const { site } = this.#deps;
    if (!site.active) throw new OperatorError('site-inactive', `site ${site.name} is not active: it takes no base backups`);
    this.#end.signal.throwIfAborted();
    this.#requireOwn();
    this.#requested = true;
    this.#wake.abort();
  }

  /** Ends the loop and a base backup that is being taken, of which nothing stays. */
  async stop(): Promise<void> {
    this.#end.abort(shuttingDown(`site ${this.#deps.site.name}`));
    await this.#running;
    await this.#backup;
  }

  async #run(): Promise<void> {
    const { clock, log } = this.#deps.parts;
    let failures = 0;
    let told: string | undefined;
    while (!this.#end.signal.aborted) {
      try {
        await this.#pass();
        failures = 0;
        told = undefined;
      } catch (error) {
        failures++;
        const text = `a pass over the site failed: ${explain(error)}`;
        if (!this.#end.signal.aborted && text !== told) log.error({ site: this.#deps.site.name }, text);
        told = text;
      }
      const delayMs = Math.min(passMs * Math.max(failures, 1), passMsMax);
      if (this.#wake.signal.aborted) this.#wake = new AbortController();
      else await clock.sleep(delayMs, AbortSignal.any([this.#end.signal, this.#wake.signal])).catch(() => {});
    }
  }

  async #pass(): Promise<void> {
    await this.#deps.cluster.refresh(this.#end.signal);
    if (this.#deps.site.active) await this.#deps.admission.check(this.#end.signal);
    await this.#refreshListing();
    const { site, parts } = this.#deps;
    const now = parts.clock.now();
    const step = nextStep(await this.#view(), scheduleOf(site), now);
    if (step.because !== this.#because) parts.log.debug({ site: site.name }, step.because);
    this.#because = step.because;
    if (step.do === 'take-basebackup') this.#startBackup(step, now);
  }

  async #view() {
    const { site, parts } = this.#deps;
    return {
      active: site.active,
      maintenance: await exists(parts.config.maintenance_mode_file),
      obstacle: this.#obstacle(),
      standby: this.#deps.ownership.hindrance,
      running: this.#backup !== undefined,
      requested: this.#requested,
      backups: this.#listing && backupViews(this.#listing.entries, scheduleOf(site)),
      failures: this.#failures,
      lastFailure: this.#lastFailure,
      retriesMax: site.basebackup_mode === 'delta' ? site.basebackup_delta_mode_max_retries : undefined,
    };
  }

  #obstacle(): string | undefined {
    const { basebackup_mode: mode, nodes } = this.#deps.site;
    if (nodes.length === 0) return 'the site names no server (nodes)';
    const { obstacle } = this.#deps.admission;
    if (obstacle !== undefined) return obstacle;
    const walObstacle = this.#deps.walObstacle();
    if (walObstacle !== undefined) return walObstacle;
    return readsDataDirectory(mode) ? this.#deps.cluster.obstacle : undefined;
  }

  async #refreshListing(): Promise<void> {
    const { parts, catalog, relatives, site, admission, ownership } = this.#deps;
    if (parts.clock.monotonicMs() - this.#listedAtMs < listingMsMax) return;
    const catalogs = await relatives(this.#end.signal);
    const [own, ...moved] = await Promise.all(catalogs.map((each) => each.basebackups(this.#end.signal)));
    const listing = own ?? { entries: [], unreadable: [] };
    const all = [listing, ...moved].flatMap(({ entries }) => entries);
    const entries = all.toSorted((a, b) => a.startTime.getTime() - b.startTime.getTime());
    this.#listing = { entries, unreadable: listing.unreadable };
    this.#listedAtMs = parts.clock.monotonicMs();
    // Pruning asks again, and is the one who complains.
    this.#preserved = await preservedUntil(catalog, this.#end.signal).catch(() => this.#preserved);
    if (site.active && admission.obstacle === undefined && ownership.isHeld && this.#backup === undefined)
      await this.#prune(
        listing,
        moved.flatMap((other) => other.entries),
      );
  }

  async #prune(listing: BasebackupListing, elsewhere: readonly BasebackupEntry[]): Promise<void> {
    const { basebackups, postponed } = await this.#retention.run(listing, elsewhere, this.#end.signal);
    // Their WAL is gone with them, so nobody must take it for missing.
    const stays = (entry: BasebackupEntry) => elsewhere.includes(entry) || !basebackups.includes(entry.name);
    if (basebackups.length > 0 && this.#listing) this.#listing = { ...this.#listing, entries: this.#listing.entries.filter(stays) };
    if (postponed !== undefined || basebackups.length > 0) this.#listedAtMs = Number.NEGATIVE_INFINITY;
  }

  #startBackup(step: TakeBasebackup, now: Date): void {
    this.#requested = false;
    this.#lastActivity = now;
    this.#backup = this.#takeBackup(step, now).finally(() => {
      this.#backup = undefined;
      this.#progress = undefined;
      this.#lastActivity = this.#deps.parts.clock.now();
      this.#wake.abort();
    });
  }

  async #takeBackup(step: TakeBasebackup, now: Date): Promise<void> {
    const { parts, site, catalog, spool, admission, ownership } = this.#deps;
    const { pool, uploads, log, clock, random } = parts;
    const admit = async (applicant: Applicant, signal: AbortSignal) => {
      await ownership.confirm(signal);
      await admission.admit(applicant, signal);
    };
    const onProgress = (progress: BasebackupProgress) => {
      this.#progress = progress;
      this.#lastActivity = clock.now();
    };
    try {
      const deps = { catalog, spool, uploads, pool, log: log.child({ site: site.name }), clock, random, admit, onProgress };
      await takeBasebackup(await this.#job(step, now), deps, AbortSignal.any([this.#end.signal, ownership.lost]));
      this.#failures = 0;
      this.#listedAtMs = Number.NEGATIVE_INFINITY;
      this.#retention.basebackupTaken();
    } catch (error) {
      this.#backupFailed(step, error);
    }
  }

  async #job({ reason, normalizedTime }: TakeBasebackup, decisionTime: Date) {
    const { parts, site } = this.#deps;
    return basebackupJob(parts.config, site, site.basebackup_mode, {
      decisionTime,
      reason,
      normalizedTime: normalizedTime === undefined ? undefined : new Date(normalizedTime),
      activeMode: site.active_backup_mode,
      host: parts.host,
      pghoardVersion: parts.version,
    });
  }

  #requireOwn(): void {
    const { ownership, site } = this.#deps;
    if (ownership.standing !== 'elsewhere') return;
    throw new OperatorError('lease-elsewhere', `site ${site.name}: ${ownership.hindrance}`, { hint: 'Ask that one for a base backup.' });
  }

  /** What was asked for is still wanted. */
  #backupFailed(step: TakeBasebackup, error: unknown): void {
    const { parts, site } = this.#deps;
    if (this.#end.signal.aborted) {
      parts.log.info({ site: site.name }, 'the base backup was given up because pghoard stops');
      return;
    }
    this.#failures++;
    this.#lastFailure = parts.clock.now();
    this.#requested ||= step.reason === 'requested';
    parts.log.error({ site: site.name, failures: this.#failures }, `base backup failed: ${explain(error)}`);
  }
}

function scheduleOf(site: SiteConfig): Schedule {
  return {
    intervalHours: site.basebackup_interval_hours,
    hour: site.basebackup_hour ?? undefined,
    minute: site.basebackup_minute ?? undefined,
  };
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
