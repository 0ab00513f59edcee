import { mkdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { type DaemonConfig, loadConfig } from '../config/load.ts';
import { type Clock, systemClock } from '../lib/clock.ts';
import { explain } from '../lib/errors.ts';
import { aborted, type Lifetime } from '../lib/lifetime.ts';
import type { RootLog } from '../lib/log/root-log.ts';
import { countFailure } from '../lib/metrics.ts';
import { type Random, systemRandom } from '../lib/random.ts';
import { SiteWatches } from './alerts/site-watches.ts';
import { buildParts, type SharedParts } from './build-parts.ts';
import { ConfigInUse } from './config-in-use.ts';
import { DaemonView } from './daemon-view.ts';
import { checkAddress, type HttpServer, startHttpServer } from './http/server.ts';
import { limitWarnings, readLimits } from './lifecycle/machine-limits.ts';
import { ServiceBeat } from './lifecycle/service-beat.ts';
import { ServiceManager } from './lifecycle/service-manager.ts';
import { logSettings } from './log-settings.ts';
import { DaemonMetrics } from './metrics/daemon-metrics.ts';
import { PostgresProbe } from './servers/postgres-probe.ts';
import type { ServerProbe } from './servers/server-probe.ts';
import { SiteSet } from './site-set.ts';
import { readStateFile } from './state-file.ts';
import { StateKeeper } from './state-keeper.ts';

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

/** The whole process: puts everything together, and begins and ends everything in order. */
export class Daemon {
  readonly #parts: SharedParts;
  readonly #log: RootLog;
  readonly #config: ConfigInUse;
  readonly #sites: SiteSet;
  readonly #watches: SiteWatches;
  readonly #metrics: DaemonMetrics;
  readonly #state: StateKeeper;
  readonly #beat: ServiceBeat;
  #isEnding = false;
  #http: HttpServer | undefined;
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
    for (const error of damaged) countFailure(daemon.#parts.metrics, 'read_persisted_progress', error);
    try {
      await daemon.#begin();
    } catch (error) {
      await daemon.#close();
      throw error;
    }
    return daemon;
  }

  private constructor(config: DaemonConfig, deps: DaemonDeps, previousState: Record<string, unknown> | undefined) {
    const { log, version, clock = systemClock, random = systemRandom, openServerProbe = () => new PostgresProbe() } = deps;
    const common = { host: hostname(), version, clock, random, log };
    const startupTime = clock.now();
    const current = () => this.#config.current;
    this.#log = log;
    this.#config = new ConfigInUse(config, { ...common, followers: () => ({ sites, alerts, watches, metrics: daemonMetrics }) });
    const daemonMetrics = new DaemonMetrics({ ...common, startTime: startupTime, daemon: () => view.measured });
    this.#metrics = daemonMetrics;
    const { metrics } = daemonMetrics;
    const place = () => this.#config.location?.name;
    const parts = buildParts({ ...common, config: current, previousState, openServerProbe, place, metrics });
    this.#parts = parts;
    const { alerts, jobs } = parts;
    const sites = new SiteSet(parts);
    this.#sites = sites;
    const watches = new SiteWatches({ ...common, sites: sites.byName, config: current, alerts });
    this.#watches = watches;
    const view = new DaemonView({ parts, sites, watches, config: current, startupTime });
    const file = () => current().json_state_file_path;
    this.#state = new StateKeeper({ file, state: () => view.state, metrics, clock, log });
    const manager = deps.manager ?? new ServiceManager({ socket: undefined, watchdogMs: undefined, log });
    this.#beat = new ServiceBeat({ manager, status: () => view.status, hanging: () => jobs.hanging, clock, log });
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
    const log = this.#log;
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
    if (this.#isEnding) {
      this.#log.info({}, 'the configuration is not read again, because pghoard stops');
      return Promise.resolve();
    }
    this.#reloading = this.#reloading
      .then(() => this.#beat.whileReloading(() => this.#config.reload()))
      .then(() => this.#reloaded(undefined))
      .catch((error: unknown) => this.#reloaded(explain(error)));
    return this.#reloading;
  }

  /** With why it was not, if so. */
  async #reloaded(obstacle: string | undefined): Promise<void> {
    const { alerts } = this.#parts;
    this.#metrics.reloaded(obstacle === undefined);
    if (obstacle === undefined) return alerts.clear('configuration_not_reloaded', null);
    this.#log.error({}, `configuration not reloaded, the old one stays: ${obstacle}`);
    await alerts.raise('configuration_not_reloaded', null, obstacle);
  }

  /** The process ends because of a fault of its own: whoever takes metrics is told so. */
  async failed(): Promise<void> {
    this.#parts.metrics.increase('pghoard.unrecoverable_quit_main_loop_failure', 1);
    await this.#metrics.close();
  }

  async #begin(): Promise<void> {
    const config = this.#config.current;
    const { http_address: address, http_port: port, webserver_username: username, webserver_password: password } = config;
    const { dashboard_actions: mayAct, file: configFile } = config;
    // Opening a site clears its spool of what a dead process left. A living one must not come to harm by that.
    await checkAddress({ address, port });
    await this.#config.occupy();
    await this.#parts.alerts.begin(config);
    await this.#parts.alerts.clear('configuration_not_reloaded', null);
    await this.#sites.open(config);
    await this.#state.write();
    this.#http = await startHttpServer({ address, port, username, password, mayAct }, this.#sites.byName, {
      readStatus: () => this.#state.read(),
      metrics: () => this.#metrics.prometheus(),
      transfers: () => this.#parts.uploads.stats.snapshot(),
      alerts: () => this.#parts.alerts.active,
      configFile,
      version: this.#parts.version,
      log: this.#log,
    });
    await this.#metrics.configure(config);
    this.#log.info({ address, port: this.#http.port, sites: [...this.#sites.byName.keys()].join(',') }, 'pghoard is up');
    this.#parts.jobs.start();
    this.#sites.start();
    await this.#watches.start(config);
    this.#state.start();
    await this.#beat.start();
  }

  async #drain(forced: AbortSignal): Promise<void> {
    const { graceful_shutdown_compression_timeout: compression, graceful_shutdown_upload_timeout: upload } = this.#config.current;
    const limit = AbortSignal.any([forced, AbortSignal.timeout((compression + upload) * 1000)]);
    // A reload that is under way still opens and closes sites.
    const drained = Promise.all([this.#http?.close(), this.#reloading.then(() => this.#sites.drain())]);
    await Promise.race([drained, aborted(limit)]);
    if (limit.aborted)
      this.#log.warn({ uploads: this.#parts.uploads.pending }, 'not waiting any longer; what is left is stored after the next start');
  }

  async #close(): Promise<void> {
    const { alerts, jobs, pool, walPool } = this.#parts;
    const stateKept = this.#state.stop();
    await this.#reloading;
    await this.#http?.close(0);
    await this.#watches.close();
    await this.#sites.close();
    await Promise.all([alerts.close(), jobs.stop(), stateKept]);
    // Where the place belongs to another daemon, so does the state file.
    if (this.#config.location) await this.#state.write();
    await this.#metrics.close();
    await Promise.all([pool.close(), walPool.close()]);
    await this.#config.leave();
  }
}

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
