import { mkdir, readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { CodecPool } from '../codec/pool.ts';
import { type DaemonConfig, loadConfig, type SiteConfig } from '../config/load.ts';
import { type Clock, systemClock } from '../lib/clock.ts';
import { explain, messageOf } from '../lib/errors.ts';
import { aborted, type Lifetime } from '../lib/lifetime.ts';
import type { RootLog } from '../lib/log/root-log.ts';
import { countFailure } from '../lib/metrics.ts';
import { type Random, systemRandom } from '../lib/random.ts';
import { UploadQueue } from '../transfer/upload-queue.ts';
import { Alerts } from './alerts/alerts.ts';
import { SiteWatches } from './alerts/site-watches.ts';
import { BackupLocation } from './backup-location.ts';
import type { DaemonParts } from './daemon-parts.ts';
import { SampleBooks } from './health/sample-books.ts';
import { checkAddress, type HttpServer, startHttpServer } from './http/server.ts';
import { JobWatch } from './lifecycle/job-watch.ts';
import { limitWarnings, readLimits } from './lifecycle/machine-limits.ts';
import { ServiceBeat } from './lifecycle/service-beat.ts';
import { ServiceManager } from './lifecycle/service-manager.ts';
import { serviceStatus } from './lifecycle/service-status.ts';
import { WorkerDeaths } from './lifecycle/worker-deaths.ts';
import { logSettings } from './log-settings.ts';
import { DaemonMetrics, type MeasuredDaemon } from './metrics/daemon-metrics.ts';
import { lookAtOwnProcess } from './own-process.ts';
import { ServedFiles } from './served-files.ts';
import { PostgresProbe } from './servers/postgres-probe.ts';
import type { ServerProbe } from './servers/server-probe.ts';
import { SiteSet } from './site-set.ts';
import { previousFlushed, previousTransfers, readStateFile, writeStateFile } from './state-file.ts';

const stateMs = 5_000;
/** For letting go of what is not waited for any more. */
const closeMsMax = 10_000;

export interface DaemonDeps {
  readonly log: RootLog;
  readonly version: string;
  /** Who started this process, if it wants to know how it is. */
  readonly manager?: ServiceManager;
  readonly clock?: Clock;
  readonly random?: Random;
  /** What the servers of a site are asked with. */
  readonly openServerProbe?: () => ServerProbe;
}

/** The whole process: builds everything from the configuration, and ends everything in order. */
export class Daemon {
  readonly #parts: Omit<DaemonParts, 'config'>;
  readonly #deps: DaemonDeps;
  readonly #sites: SiteSet;
  readonly #watches: SiteWatches;
  readonly #metrics: DaemonMetrics;
  readonly #startupTime: Date;
  readonly #beat: ServiceBeat;
  readonly #end = new AbortController();
  #isEnding = false;
  #config: DaemonConfig;
  #location: BackupLocation | undefined;
  #http: HttpServer | undefined;
  #stateWriting: Promise<void> = Promise.resolve();
  #reloading: Promise<void> = Promise.resolve();

  /** Resolves once the HTTP API answers. Rejects with what is wrong with the configuration or the machine. */
  static async start(configFile: string, deps: DaemonDeps): Promise<Daemon> {
    const config = await loadConfig(configFile, { forDaemon: true, storeMayBeUnusable: () => true });
    deps.log.configure(logSettings(config));
    for (const warning of [...config.warnings, ...limitWarnings(await readLimits())]) deps.log.warn({}, warning);
    await mkdir(dirname(config.json_state_file_path), { recursive: true });
    const damaged: unknown[] = [];
    const previousState = await readStateFile(config.json_state_file_path, (error) => damaged.push(error));
    const daemon = new Daemon(config, deps, previousState);
    for (const error of damaged) countFailure(daemon.#metrics.metrics, 'read_persisted_progress', error);
    try {
      await daemon.#begin();
    } catch (error) {
      await daemon.#close();
      throw error;
    }
    return daemon;
  }

  private constructor(config: DaemonConfig, deps: DaemonDeps, previousState: Record<string, unknown> | undefined) {
    const { log, version, clock = systemClock, random = systemRandom } = deps;
    const alerts = new Alerts({ directory: config.alert_file_dir, host: hostname(), version, clock, random, log });
    const startTime = clock.now();
    const measured = { startTime, version, host: hostname(), clock, log };
    this.#metrics = new DaemonMetrics({ ...measured, daemon: () => this.#measured() });
    const { metrics } = this.#metrics;
    const jobs = new JobWatch({ alerts, metrics, deadlines: () => this.#config.stalled_after_seconds, clock, log });
    const uploads = new UploadQueue({
      threads: config.transfer.thread_count,
      log,
      metrics,
      warningLimit: config.upload_retries_warning_limit,
      onTrouble: (site, key, failures, error) =>
        void alerts.raise('upload_retries_warning', site, `${key} could not be stored ${failures} times: ${messageOf(error)}`),
      onRecovered: (site) => void alerts.clear('upload_retries_warning', site),
      watch: ({ site, key }, signal, attempt) => jobs.run({ site, kind: 'upload', what: `the upload of ${key}` }, signal, attempt),
      previousStats: previousTransfers(previousState),
      clock,
      random,
    });
    const deaths = new WorkerDeaths({ alerts, metrics, clock, log });
    const watched = { onDied: deaths.died.bind(deaths), onDone: deaths.done.bind(deaths) };
    const pool = new CodecPool(config.compression.thread_count, watched);
    const walPool = new CodecPool(config.compression.thread_count, watched);
    this.#config = config;
    this.#deps = deps;
    this.#startupTime = startTime;
    const servedFiles = new ServedFiles(clock);
    const openServerProbe = deps.openServerProbe ?? (() => new PostgresProbe());
    const sampleBooks = new SampleBooks(clock, previousState);
    const previouslyFlushed = (site: string) => previousFlushed(previousState, site);
    const about = { place: () => this.#location?.name, host: hostname(), version };
    this.#parts = {
      pool,
      walPool,
      uploads,
      alerts,
      metrics,
      jobs,
      spoolReserve: () => this.#config.spool_reserve_bytes,
      servedFiles,
      openServerProbe,
      sampleBooks,
      previouslyFlushed,
      log,
      clock,
      random,
      ...about,
    };
    this.#sites = new SiteSet(this.#parts);
    this.#watches = new SiteWatches({ sites: this.#sites.byName, config: () => this.#config, alerts, version, clock, log });
    const manager = deps.manager ?? new ServiceManager({ socket: undefined, watchdogMs: undefined, log });
    this.#beat = new ServiceBeat({ manager, status: () => this.#status, hanging: () => jobs.hanging, clock, log });
  }

  /** Whether something hangs where nothing can end it: then the process does not end in the ordinary way. */
  get isStuck(): boolean {
    return this.#parts.pool.stuck + this.#parts.walPool.stuck > 0;
  }

  /** Where the HTTP API listens. */
  get port(): number {
    return this.#http?.port ?? 0;
  }

  /** Runs until the lifetime ends: first drains, within the limits of the configuration, then stops. */
  async run(lifetime: Lifetime): Promise<void> {
    const { log } = this.#deps;
    await aborted(lifetime.draining);
    this.#isEnding = true;
    const stopping = this.#beat.drain();
    if (lifetime.forced.aborted) log.info({}, 'stopping at once');
    else log.info({}, 'stopping: no new work, uploads that are under way are finished');
    await this.#drain(lifetime.forced);
    const isClosed = await isOverWithin(closeMsMax, this.#close());
    await stopping;
    await this.#beat.stop();
    if (isClosed) log.info({}, 'stopped');
    else log.warn({}, `stopped, although not all work has let go within ${closeMsMax / 1000} s; nothing of it counts as done`);
  }

  /**
   * Reads the configuration again. A bad one is refused, and the old one stays; so is one that gives a site a store that cannot be opened, where a start would go on
   * without it. Never rejects.
   */
  reload(): Promise<void> {
    const { log } = this.#deps;
    if (this.#isEnding) {
      log.info({}, 'the configuration is not read again, because pghoard stops');
      return Promise.resolve();
    }
    this.#reloading = this.#reloading
      .then(() => this.#beat.whileReloading(() => this.#reload()))
      .then(() => this.#metrics.reloaded(true))
      .catch((error: unknown) => {
        this.#metrics.reloaded(false);
        log.error({}, `configuration not reloaded, the old one stays: ${explain(error)}`);
      });
    return this.#reloading;
  }

  /** The process ends because of a fault of its own: whoever takes metrics is told so. */
  async failed(): Promise<void> {
    this.#parts.metrics.increase('pghoard.unrecoverable_quit_main_loop_failure', 1);
    await this.#metrics.close();
  }

  async #begin(): Promise<void> {
    const { http_address: address, http_port: port, webserver_username: username, webserver_password: password } = this.#config;
    // Opening a site clears its spool of what a dead process left. A living one must not come to harm by that.
    await checkAddress({ address, port });
    this.#location = await this.#occupy(this.#config);
    await this.#parts.alerts.begin(this.#config);
    await this.#sites.open(this.#config);
    const readStatus = () => readFile(this.#config.json_state_file_path);
    await this.#writeState();
    this.#http = await startHttpServer({ address, port, username, password }, this.#sites.byName, {
      readStatus,
      metrics: () => this.#metrics.prometheus(),
      version: this.#deps.version,
      log: this.#deps.log,
    });
    await this.#metrics.configure(this.#config);
    this.#deps.log.info({ address, port: this.#http.port, sites: [...this.#sites.byName.keys()].join(',') }, 'pghoard is up');
    this.#parts.jobs.start();
    for (const site of this.#sites.all) site.start();
    await this.#watches.start(this.#config);
    this.#stateWriting = this.#keepWritingState();
    await this.#beat.start();
  }

  /** For systemd. */
  get #status(): string {
    const sites = this.#sites.all.map(({ name, config, loop }) => ({
      name,
      isActive: config.active,
      newest: loop.listing === undefined ? null : loop.listing.entries.at(-1)?.startTime,
      isTakingBackup: loop.backupActivity?.running === true,
    }));
    return serviceStatus(sites, this.#parts.alerts.active);
  }

  async #reload(): Promise<void> {
    const old = this.#config;
    const isAsBefore = (site: SiteConfig) => isDeepStrictEqual(site.object_storage, old.backup_sites[site.name]?.object_storage);
    const config = await loadConfig(old.file, { forDaemon: true, storeMayBeUnusable: isAsBefore });
    for (const warning of config.warnings) if (!old.warnings.includes(warning)) this.#deps.log.warn({}, warning);
    await this.#move(old, config);
    this.#config = config;
    await this.#parts.alerts.follow(config);
    await this.#watches.follow(config);
    await this.#metrics.configure(config);
    this.#deps.log.configure(logSettings(config));
    this.#deps.log.info({ sites: [...this.#sites.byName.keys()].join(',') }, 'configuration reloaded');
    const needRestart = restartKeys.filter((key) => JSON.stringify(old[key]) !== JSON.stringify(config[key]));
    if (needRestart.length > 0)
      this.#deps.log.warn({ keys: needRestart.join(',') }, 'changes of these settings take effect at the next start');
  }

  /** The old place is left once the new one is in use. */
  async #move(from: DaemonConfig, to: DaemonConfig): Promise<void> {
    if (from.backup_location === to.backup_location) return this.#sites.change(from, to);
    const old = this.#location;
    const location = await this.#occupy(to);
    this.#location = location;
    try {
      await this.#sites.change(from, to);
    } catch (error) {
      this.#location = old;
      await location.leave();
      throw error;
    }
    await old?.leave();
  }

  async #occupy({ backup_location: path }: DaemonConfig): Promise<BackupLocation> {
    return BackupLocation.occupy(path, this.#parts);
  }

  async #drain(forced: AbortSignal): Promise<void> {
    const { graceful_shutdown_compression_timeout: compression, graceful_shutdown_upload_timeout: upload } = this.#config;
    const limit = AbortSignal.any([forced, AbortSignal.timeout((compression + upload) * 1000)]);
    // A reload that is under way still opens and closes sites.
    const drained = Promise.all([this.#http?.close(), this.#reloading.then(() => this.#sites.drain())]);
    await Promise.race([drained, aborted(limit)]);
    if (limit.aborted)
      this.#deps.log.warn({ uploads: this.#parts.uploads.pending }, 'not waiting any longer; what is left is stored after the next start');
  }

  async #close(): Promise<void> {
    this.#end.abort();
    await this.#reloading;
    await this.#http?.close(0);
    await this.#watches.close();
    await this.#sites.close();
    await Promise.all([this.#parts.alerts.close(), this.#parts.jobs.stop(), this.#stateWriting]);
    // Where the place belongs to another daemon, so does the state file.
    if (this.#location) await this.#writeState();
    await this.#metrics.close();
    await Promise.all([this.#parts.pool.close(), this.#parts.walPool.close()]);
    await this.#location?.leave();
  }

  async #keepWritingState(): Promise<void> {
    while (!this.#end.signal.aborted) {
      await this.#parts.clock.sleep(stateMs, this.#end.signal).catch(() => {});
      await this.#writeState();
    }
  }

  #measured(): MeasuredDaemon {
    const { uploads, pool, walPool } = this.#parts;
    const { backup_location: backupLocation } = this.#config;
    return { sites: this.#sites.all, uploads, compressionQueue: pool.pending + walPool.pending, backupLocation };
  }

  /** A state file that cannot be written must not stop backups. */
  async #writeState(): Promise<void> {
    const { version, log } = this.#deps;
    const { uploads, alerts, metrics, servedFiles, pool, walPool } = this.#parts;
    try {
      await writeStateFile(this.#config.json_state_file_path, {
        startupTime: this.#startupTime,
        version,
        sites: this.#sites.all,
        compressionQueue: pool.pending + walPool.pending,
        transferQueue: uploads.pending,
        transfers: uploads.stats.snapshot(),
        sealing: uploads.sealing.snapshot(),
        compressionThreads: this.#config.compression.thread_count,
        servedFiles,
        alerts,
        heartbeats: this.#watches.heartbeats,
        process: lookAtOwnProcess(),
      });
    } catch (error) {
      countFailure(metrics, 'write_persisted_progress', error);
      log.error({ file: this.#config.json_state_file_path }, `cannot write the state file: ${explain(error)}`);
    }
  }
}

/** Settings of things that are made once, at the start. */
const restartKeys = [
  'http_address',
  'http_port',
  'webserver_username',
  'webserver_password',
  'transfer',
  'upload_retries_warning_limit',
] as const;

async function isOverWithin(ms: number, work: Promise<void>): Promise<boolean> {
  const limit = new AbortController();
  const over = systemClock.sleep(ms, limit.signal).then(
    () => false,
    () => false,
  );
  const isOver = await Promise.race([work.then(() => true), over]);
  limit.abort();
  return isOver;
}
