import type { UsedNames } from '../basebackup/used-names.ts';
import type { SiteConfig } from '../config/load.ts';
import { inWords } from '../lib/errors.ts';
import { isThere } from '../lib/is-there.ts';
import type { Admission } from './admission.ts';
import { backupViews } from './backup-views.ts';
import { readsDataDirectory } from './basebackup-mode.ts';
import type { ClusterWatch } from './cluster-watch.ts';
import type { DaemonParts } from './daemon-parts.ts';
import type { LastWal } from './last-wal.ts';
import { nextStep, type Step } from './next-step.ts';
import type { Ownership } from './ownership.ts';
import type { RequestedBasebackup } from './requested-basebackup.ts';
import { scheduleOf } from './schedule.ts';
import { ScheduleClock } from './schedule-clock.ts';
import { serversForBasebackup } from './servers/basebackup-servers.ts';
import type { BasebackupChoice } from './servers/choose-for-basebackup.ts';
import type { ServerWatch } from './servers/server-watch.ts';
import type { SiteBackups } from './site-backups.ts';
import type { FreshListing, SiteListing } from './site-listing.ts';
import type { SiteRetention } from './site-retention.ts';

export interface SitePassDeps {
  readonly site: SiteConfig;
  readonly parts: Pick<DaemonParts, 'clock' | 'log'> & {
    readonly jobs: Pick<DaemonParts['jobs'], 'run'>;
    readonly config: Pick<DaemonParts['config'], 'maintenance_mode_file'>;
  };
  readonly cluster: Pick<ClusterWatch, 'obstacle' | 'readDataDirectory'>;
  readonly admission: Pick<Admission, 'check' | 'obstacle'>;
  readonly ownership: Pick<Ownership, 'hindrance' | 'isHeld' | 'standing'>;
  readonly servers: Pick<ServerWatch, 'lagSeconds' | 'leader' | 'nodes' | 'usable'>;
  readonly requested: Pick<RequestedBasebackup, 'isWanted' | 'lookFor'>;
  readonly names: Pick<UsedNames, 'note'>;
  /** Why the WAL of a base backup would not arrive. */
  readonly walObstacle: () => string | undefined;
  readonly listing: Pick<SiteListing, 'current' | 'deleted' | 'outdate' | 'refresh'>;
  readonly backups: Pick<SiteBackups, 'begin' | 'failures' | 'isRunning' | 'roomObstacle' | 'standDown'>;
  readonly retention: Pick<SiteRetention, 'isWaitingForWal' | 'run' | 'standDown'>;
  readonly lastWal: Pick<LastWal, 'look'>;
}

/** One pass over a site: observe, decide the next step, act. */
export class SitePass {
  readonly #deps: SitePassDeps;
  readonly #clock: ScheduleClock;
  #because: string;
  #dueAt: Date | undefined;

  constructor(deps: SitePassDeps, because: string) {
    this.#deps = deps;
    this.#because = because;
    this.#clock = new ScheduleClock(deps.parts.clock);
  }

  /** Why the site is doing what it does. */
  get because(): string {
    return this.#because;
  }

  /** When the next scheduled base backup is due, where nothing keeps from it; undefined where none is, or one is being begun. */
  get dueAt(): Date | undefined {
    return this.#dueAt;
  }

  async run(signal: AbortSignal, progress: () => void): Promise<void> {
    const { site, listing, ownership, backups, retention } = this.#deps;
    // One that ends during the pass may be missing from its listing.
    const wasTaking = backups.isRunning;
    const fresh = await this.#look(signal, progress);
    const entries = listing.current?.entries ?? [];
    if (fresh) await this.#note(fresh);
    const mayPrune = !wasTaking && this.#mayPrune();
    if (mayPrune) this.#deps.lastWal.look(entries);
    const pruning = fresh && mayPrune ? await this.#prune(fresh, signal).catch((error: unknown) => ({ error })) : undefined;
    progress();
    if (!site.active || ownership.standing === 'elsewhere') {
      backups.standDown();
      await retention.standDown();
    }
    const now = this.#clock.now();
    const source = await serversForBasebackup(site, this.#deps.servers, backups.failures.failures);
    const step = nextStep({ ...(await this.#view(source, now)), running: wasTaking || backups.isRunning }, scheduleOf(site), now);
    this.#tell(step);
    if (step.do === 'take-basebackup' && 'order' in source) backups.begin(step, now, source);
    // What keeps old base backups from being deleted must not keep new ones from being taken.
    if (pruning) throw pruning.error;
  }

  async #look(signal: AbortSignal, progress: () => void): Promise<FreshListing | undefined> {
    const { site, parts, cluster, requested } = this.#deps;
    const server = { site: site.name, kind: 'server', what: 'the look at the data directory' } as const;
    try {
      await parts.jobs.run(server, signal, () => cluster.readDataDirectory());
      progress();
      const fresh = await this.#list(signal);
      progress();
      return fresh;
    } catch (error) {
      const waits = requested.isWanted ? '; the base backup that was requested waits' : '';
      this.#because = `the site cannot be looked at: ${inWords(error)}${waits}`;
      throw error;
    }
  }

  /** Resolves to undefined while what is known is fresh enough. */
  #list(signal: AbortSignal): Promise<FreshListing | undefined> {
    const { site, parts, admission, listing } = this.#deps;
    const job = { site: site.name, kind: 'listing', what: 'the listing of base backups' } as const;
    return parts.jobs.run(job, signal, async (end) => {
      if (site.active) await admission.check(end);
      return listing.refresh(end);
    });
  }

  async #note({ own }: FreshListing): Promise<void> {
    const { listing, names, requested } = this.#deps;
    const entries = listing.current?.entries ?? [];
    this.#clock.note(entries);
    await names.note(own.entries.map(({ name }) => name));
    await requested.lookFor(entries);
  }

  #tell(step: Step): void {
    const { parts, site } = this.#deps;
    if (step.because !== this.#because) parts.log.debug({ site: site.name }, step.because);
    this.#because = step.because;
    this.#dueAt = step.do === 'idle' ? step.dueAt : undefined;
  }

  async #view(source: BasebackupChoice, now: Date) {
    const { site, parts, backups, listing, ownership, requested } = this.#deps;
    const { failures, lastFailure } = backups.failures;
    const aheadMs = now.getTime() - parts.clock.now().getTime();
    return {
      active: site.active,
      maintenance: await isThere(parts.config.maintenance_mode_file),
      obstacle: this.#obstacle(source) ?? (await backups.roomObstacle()),
      standby: ownership.hindrance,
      requested: requested.isWanted,
      backups: listing.current && backupViews(listing.current.entries, scheduleOf(site)),
      failures,
      // Told by the clock on the wall.
      lastFailure: lastFailure && new Date(lastFailure.getTime() + aheadMs),
      retriesMax: site.basebackup_mode === 'delta' ? site.basebackup_delta_mode_max_retries : undefined,
    };
  }

  #obstacle(source: BasebackupChoice): string | undefined {
    const { site, admission, cluster, walObstacle } = this.#deps;
    if (site.nodes.length === 0) return 'the site names no server (nodes)';
    if (admission.obstacle !== undefined) return admission.obstacle;
    const ofWal = walObstacle();
    if (ofWal !== undefined) return ofWal;
    const unreadable = readsDataDirectory(site.basebackup_mode) ? cluster.obstacle : undefined;
    return unreadable ?? ('obstacle' in source ? source.obstacle : undefined);
  }

  #mayPrune(): boolean {
    const { site, admission, ownership, backups } = this.#deps;
    return site.active && admission.obstacle === undefined && ownership.isHeld && !backups.isRunning;
  }

  async #prune(fresh: FreshListing, end: AbortSignal): Promise<void> {
    const { parts, site, retention, listing } = this.#deps;
    const job = { site: site.name, kind: 'retention', what: 'the deletion of what is no longer needed' } as const;
    const { basebackups } = await parts.jobs.run(job, end, (signal, progress) =>
      retention.run(fresh.own, fresh.elsewhere, signal, progress),
    );
    listing.deleted(basebackups, fresh);
    if (retention.isWaitingForWal || basebackups.length > 0) listing.outdate();
  }
}
