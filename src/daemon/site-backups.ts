import type { BasebackupDeps, BasebackupProgress } from '../basebackup/job.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { Applicant } from '../catalog/identity-keeper.ts';
import type { SiteConfig } from '../config/load.ts';
import { explain, isOperatorError } from '../lib/errors.ts';
import { shuttingDown } from '../lib/shutting-down.ts';
import type { Spool } from '../transfer/spool.ts';
import type { Admission } from './admission.ts';
import { basebackupJob } from './basebackup-job.ts';
import { readsDataDirectory } from './basebackup-mode.ts';
import type { DaemonParts } from './daemon-parts.ts';
import type { RunningBackupView } from './health/health-view.ts';
import { SpoolRoom } from './lifecycle/spool-room.ts';
import { BasebackupMetrics } from './metrics/basebackup-metrics.ts';
import type { Step } from './next-step.ts';
import type { Ownership } from './ownership.ts';
import type { ProgramWatch } from './program-watch.ts';
import type { RequestedBasebackup } from './requested-basebackup.ts';
import type { BasebackupSource } from './servers/choose-for-basebackup.ts';

export type TakeBasebackup = Extract<Step, { do: 'take-basebackup' }>;

/** Of damaged pages. */
const pagesShownMax = 10;

export interface SiteBackupsDeps {
  readonly parts: DaemonParts;
  readonly site: SiteConfig;
  readonly catalog: Catalog;
  readonly spool: Spool;
  readonly admission: Admission;
  readonly ownership: Ownership;
  readonly requested: RequestedBasebackup;
  readonly names: BasebackupDeps['names'];
  /** Tells of a program that is too old. */
  readonly programs: Pick<ProgramWatch, 'lookAgain'>;
  /** A base backup is complete. */
  readonly onTaken: () => void;
  /** None is being taken any more, whatever became of it. */
  readonly onEnd: () => void;
}

/** The base backups that a site takes, one at a time: the one that is running, the one that was asked for, and what failed. */
export class SiteBackups {
  readonly #deps: SiteBackupsDeps;
  readonly #room: SpoolRoom;
  readonly #end = new AbortController();
  #running: Promise<void> | undefined;
  #progress: BasebackupProgress | undefined;
  #lastActivity: Date | undefined;
  #begun: { readonly at: Date; readonly monotonicMs: number } | undefined;
  #failures = 0;
  #lastFailure: Date | undefined;
  #failedBecause: string | undefined;

  constructor(deps: SiteBackupsDeps) {
    this.#deps = deps;
    this.#room = new SpoolRoom(deps.spool.basebackupsIncomingDirectory, deps.parts.spoolReserve, deps.parts.clock);
  }

  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  /** Since the last success. */
  get failures(): { readonly failures: number; readonly lastFailure: Date | undefined } {
    return { failures: this.#failures, lastFailure: this.#lastFailure };
  }

  /** Why the last one failed; undefined where it did not. */
  get failedBecause(): string | undefined {
    return this.#failedBecause;
  }

  /** The base backup that is being taken, or the last one that was; undefined before the first. */
  get activity(): { readonly running: boolean; readonly latestActivity: Date; readonly progress?: BasebackupProgress } | undefined {
    if (this.#lastActivity === undefined) return undefined;
    return { running: this.isRunning, latestActivity: this.#lastActivity, ...(this.#progress && { progress: this.#progress }) };
  }

  /** The one that is being taken. */
  get current(): RunningBackupView | undefined {
    if (!this.isRunning || this.#begun === undefined) return undefined;
    const elapsedMs = this.#deps.parts.clock.monotonicMs() - this.#begun.monotonicMs;
    return { startedAt: this.#begun.at, elapsedMs, progress: this.#progress };
  }

  /** Why there is no room for one. */
  roomObstacle(): Promise<string | undefined> {
    return this.#room.obstacle();
  }

  async request(): Promise<void> {
    this.#end.signal.throwIfAborted();
    await this.#deps.requested.request();
  }

  /** Another daemon takes them from now on: what failed here says nothing any more. */
  standDown(): void {
    if (this.isRunning) return;
    this.#failures = 0;
    this.#lastFailure = undefined;
    this.#failedBecause = undefined;
  }

  /** Begins one; `decisionTime` is stored with it. */
  begin(step: TakeBasebackup, decisionTime: Date, source: BasebackupSource): void {
    this.#lastActivity = decisionTime;
    this.#begun = { at: decisionTime, monotonicMs: this.#deps.parts.clock.monotonicMs() };
    this.#running = this.#take(step, decisionTime, source).finally(() => {
      this.#running = undefined;
      this.#progress = undefined;
      this.#lastActivity = this.#deps.parts.clock.now();
      this.#deps.onEnd();
    });
  }

  /** Gives up the one that is running, of which nothing stays. */
  async stop(): Promise<void> {
    this.#end.abort(shuttingDown(`site ${this.#deps.site.name}`));
    await this.#running;
  }

  async #take(step: TakeBasebackup, decisionTime: Date, source: BasebackupSource): Promise<void> {
    const { requested } = this.#deps;
    if (step.reason === 'requested') await requested.begin(decisionTime);
    await requested.end(await this.#attempt(step, decisionTime, source));
  }

  /** Resolves to whether it is complete. */
  async #attempt(step: TakeBasebackup, decisionTime: Date, source: BasebackupSource): Promise<boolean> {
    const { parts, site, catalog, spool, names, admission, ownership, onTaken } = this.#deps;
    const { pool, uploads, metrics, log, clock, random } = parts;
    const measured = new BasebackupMetrics({ metrics, clock, site: site.name, mode: site.basebackup_mode });
    const stall = new AbortController();
    const done = new AbortController();
    const job = parts.jobs.begin({ site: site.name, kind: 'basebackup', what: 'the base backup' }, (why) => stall.abort(why));
    if (site.nodes.length > 1) log.info({ site: site.name }, `the next base backup is taken ${source.because}`);
    const admit = async (applicant: Applicant, signal: AbortSignal) => {
      await ownership.confirm(signal, job.progress);
      await admission.admit(applicant, signal);
    };
    const onProgress = (progress: BasebackupProgress) => {
      job.progress();
      this.#progress = progress;
      measured.progressed(progress);
      this.#lastActivity = clock.now();
    };
    const room = this.#room.watch(AbortSignal.any([stall.signal, done.signal]), (why) => stall.abort(why));
    try {
      const watchedUploads: BasebackupDeps['uploads'] = { upload: (request) => uploads.upload({ ...request, onProgress: job.progress }) };
      const damaged: string[] = [];
      const deps = {
        catalog,
        spool,
        names,
        uploads: watchedUploads,
        pool,
        metrics,
        log: log.child({ site: site.name }),
        clock,
        random,
        admit,
        onProgress,
        onDamagedPage: (page: string) => void damaged.push(page),
      };
      const end = AbortSignal.any([this.#end.signal, ownership.lost, stall.signal]);
      const { name } = await parts.takeBasebackup(await this.#job(step, decisionTime, source), deps, end);
      this.#failures = 0;
      this.#failedBecause = undefined;
      measured.completed();
      this.#tell(step, decisionTime, name);
      this.#tellDamage(name, damaged);
      onTaken();
      return true;
    } catch (error) {
      if (!this.#end.signal.aborted) measured.failed(error);
      this.#failed(step, decisionTime, error);
      return false;
    } finally {
      job.end();
      done.abort();
      await room;
    }
  }

  async #job({ reason, normalizedTime }: TakeBasebackup, decisionTime: Date, { order }: BasebackupSource) {
    const { parts, site } = this.#deps;
    const nodes = order.flatMap((index) => site.nodes[index] ?? []);
    return basebackupJob(parts.config, { ...site, nodes }, site.basebackup_mode, {
      decisionTime,
      reason,
      normalizedTime: normalizedTime === undefined ? undefined : new Date(normalizedTime),
      activeMode: site.active_backup_mode,
      host: parts.host,
      pghoardVersion: parts.version,
    });
  }

  #failed(step: TakeBasebackup, decisionTime: Date, error: unknown): void {
    const { parts, site } = this.#deps;
    if (this.#end.signal.aborted) {
      parts.log.info({ site: site.name }, 'the base backup was given up because pghoard stops');
      return;
    }
    this.#failures++;
    this.#lastFailure = parts.clock.now();
    this.#failedBecause = explain(error);
    parts.log.error({ site: site.name, failures: this.#failures }, `base backup failed: ${this.#failedBecause}`);
    this.#tell(step, decisionTime, null);
    if (isOperatorError(error, 'program-too-old')) this.#deps.programs.lookAgain();
  }

  /** Of those that fail in a row the first is told; more are an alert. */
  #tell({ reason }: TakeBasebackup, decisionTime: Date, name: string | null): void {
    const { parts, site } = this.#deps;
    const about = { name, reason, started: decisionTime.toISOString(), failures: this.#failures, because: this.#failedBecause ?? null };
    if (this.#failures <= 1) parts.alerts.basebackupEnded(site.name, about);
  }

  #tellDamage(name: string, pages: readonly string[]): void {
    const { site } = this.#deps;
    const shown =
      pages.slice(0, pagesShownMax).join('; ') + (pages.length > pagesShownMax ? ` and ${pages.length - pagesShownMax} more` : '');
    const because = `base backup ${name} is complete, but holds pages with wrong checksums: ${shown}`;
    if (pages.length > 0) void this.#alerts.raise('page_checksum_errors', site.name, because);
    else if (site.basebackup_verify_checksums || !readsDataDirectory(site.basebackup_mode))
      void this.#alerts.clear('page_checksum_errors', site.name);
  }

  get #alerts() {
    return this.#deps.parts.alerts.from('basebackup');
  }
}
