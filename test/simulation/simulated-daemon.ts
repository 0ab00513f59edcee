import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { CodecPool, runHere } from '../../src/codec/pool.ts';
import { checkConfigText } from '../../src/config/check.ts';
import type { DaemonConfig } from '../../src/config/load.ts';
import { SiteWatches } from '../../src/daemon/alerts/site-watches.ts';
import { buildParts, type SharedParts } from '../../src/daemon/build-parts.ts';
import { DaemonView } from '../../src/daemon/daemon-view.ts';
import type { Site } from '../../src/daemon/site.ts';
import { SiteSet } from '../../src/daemon/site-set.ts';
import { describeState } from '../../src/daemon/state-file.ts';
import { formatJson } from '../../src/lib/json.ts';
import type { Log } from '../../src/lib/log.ts';
import { noMetrics } from '../../src/lib/metrics.ts';
import type { Random } from '../../src/lib/random.ts';
import { objectMissing } from '../../src/storage/store-errors.ts';
import { withObservers } from '../../src/storage/with-observers.ts';
import type { IndexedStoredWal, IndexStoredWalInput } from '../../src/wal/index/index-stored-wal.job.ts';
import type { SeededRandom } from '../support/seeded-random.ts';
import { takeMadeUpBackup } from './made-up-backup.ts';
import { pgVersion, segmentBytes } from './made-up-postgres.ts';
import { MadeUpServers } from './made-up-servers.ts';
import type { SimulatedSite } from './simulated-site.ts';
import { HostClock, type YearClock } from './year-clock.ts';

export interface SimulatedDaemonDeps {
  readonly host: string;
  readonly directory: string;
  readonly year: YearClock;
  readonly random: SeededRandom;
  readonly sites: readonly SimulatedSite[];
  readonly log: (host: string, level: string, fields: object, message: string) => void;
}

/** One daemon, as far as it decides anything: everything in it is what a real one has, but for its stores, servers, base backups and its clock. */
export class SimulatedDaemon {
  readonly host: string;
  readonly #deps: SimulatedDaemonDeps;
  #life: Life | undefined;
  #state: Record<string, unknown> | undefined;
  #pid = 100;
  wrongByMs = 0;

  constructor(deps: SimulatedDaemonDeps) {
    this.host = deps.host;
    this.#deps = deps;
  }

  get life(): Life | undefined {
    return this.#life;
  }

  get isAlive(): boolean {
    return this.#life !== undefined;
  }

  /** It is alive, and not stopped. */
  get isWell(): boolean {
    return this.#life?.clock.isStopped === false;
  }

  get maintenanceFile(): string {
    return join(this.#deps.directory, 'maintenance');
  }

  async start(): Promise<void> {
    const process = { pid: ++this.#pid, state: this.#state, wrongByMs: this.wrongByMs };
    this.#life = await Life.begin(this.#deps, this.#config(), process);
  }

  /** Drains and closes. */
  async stop(): Promise<void> {
    const life = this.#life;
    this.#life = undefined;
    this.#state = life?.state;
    await life?.close();
  }

  /** Nothing of it goes on. */
  kill(): void {
    if (this.#life === undefined) return;
    this.#state = this.#life.state;
    this.#life.clock.isDead = true;
    this.#life = undefined;
  }

  setClock(wrongByMs: number): void {
    this.wrongByMs = wrongByMs;
    if (this.#life) this.#life.clock.wrongByMs = wrongByMs;
  }

  async reload(): Promise<void> {
    await this.#life?.reload(this.#config());
  }

  #config(): DaemonConfig {
    const { directory, sites, host } = this.#deps;
    const document = {
      backup_location: join(directory, 'spool'),
      alert_file_dir: join(directory, 'alerts'),
      json_state_file_path: join(directory, 'state.json'),
      maintenance_mode_file: this.maintenanceFile,
      compression: { thread_count: 1 },
      transfer: { thread_count: 2 },
      // The disk of this machine is no part of the year.
      spool_reserve_bytes: 0,
      alerts: {
        disk_free_percent: 0,
        disk_full_hours: 0,
        window_age_seconds: 12 * 3600,
        wal_stalled_seconds: 3600,
        basebackup_overdue_seconds: 4 * 3600,
      },
      backup_sites: Object.fromEntries(
        sites.map(({ name, rules, cluster }) => [
          name,
          {
            ...rules,
            // What one reads is a data directory, and there is none.
            basebackup_mode: name === 'a' ? 'basic' : 'stream',
            active_backup_mode: 'archive_command',
            lease_seconds: 3600,
            pg_data_directory: `/nonexistent/${name}`,
            nodes: cluster.servers.map((server) => `host=${server.host} port=${server.port} user=pghoard dbname=postgres`),
            object_storage: { storage_type: 'local', directory: `/nonexistent/${name}` },
          },
        ]),
      ),
    };
    return checkConfigText(host, Buffer.from(JSON.stringify(document)), true).result() as DaemonConfig;
  }
}

interface NewProcess {
  readonly pid: number;
  /** What the state file of an earlier life tells. */
  readonly state: Life['state'] | undefined;
  /** How far its host's clock is ahead of the truth. */
  readonly wrongByMs: number;
}

/** From one start to the end of the process. */
export class Life {
  readonly clock: HostClock;
  readonly sites: SiteSet;
  readonly parts: SharedParts;
  readonly beganMs: number;
  readonly #watches: SiteWatches;
  readonly #view: DaemonView;
  #config: DaemonConfig;

  static async begin(deps: SimulatedDaemonDeps, config: DaemonConfig, process: NewProcess): Promise<Life> {
    await mkdir(config.backup_location, { recursive: true });
    const life = new Life(deps, config, process);
    await life.parts.alerts.begin(config);
    await life.sites.open(config);
    life.parts.jobs.start();
    for (const site of life.sites.all) site.start();
    await life.#watches.start(config);
    return life;
  }

  private constructor(deps: SimulatedDaemonDeps, config: DaemonConfig, { pid, state, wrongByMs }: NewProcess) {
    const { year, host, sites } = deps;
    const clock = new HostClock(year);
    clock.wrongByMs = wrongByMs;
    this.clock = clock;
    this.beganMs = year.ms;
    this.#config = config;
    const log = logTo(deps, clock, {});
    const random = randomOf(deps.random);
    const current = () => this.#config;
    const version = '3.0';
    const onStored = (site: string, name: string) => this.site(site)?.gaps?.stored(name);
    const servers = new MadeUpServers({ sites, clock, now: () => year.now, onStored });
    const named = (name: string) => sites.find((site) => site.name === name) ?? fail(`no site ${name}`);
    const built = buildParts({
      config: current,
      previousState: state,
      openServerProbe: () => servers.probe,
      place: () => `the place of ${host}`,
      metrics: noMetrics,
      host,
      version,
      log,
      clock,
      random,
    });
    const pool = new HerePool(sites, year);
    this.parts = {
      ...built,
      pid,
      pool,
      walPool: pool,
      endSegment: servers.endSegment,
      walNodes: servers.walNodes,
      findProgram: async (program) => ({ path: `/nonexistent/${program}`, version: pgVersion }),
      openStore: async (options, _, observers) => {
        const name = options.storage_type === 'local' ? options.directory.slice('/nonexistent/'.length) : '';
        return withObservers(named(name).store.for({ host, isDead: () => clock.isDead }), observers, clock);
      },
      takeBasebackup: (job, backup, signal) => takeMadeUpBackup(job, backup, signal, { year, random: deps.random, site: named, host }),
    };
    this.sites = new SiteSet(this.parts);
    const { alerts } = this.parts;
    this.#watches = new SiteWatches({ sites: this.sites.byName, config: current, alerts, version, clock, log });
    this.#view = new DaemonView({
      parts: this.parts,
      sites: this.sites,
      watches: this.#watches,
      config: current,
      startupTime: clock.now(),
    });
  }

  site(name: string): Site | undefined {
    return this.sites.byName.get(name);
  }

  /** As it stands in the state file. */
  get state(): Record<string, unknown> {
    return JSON.parse(formatJson(describeState(this.#view.state))) as Record<string, unknown>;
  }

  async reload(config: DaemonConfig): Promise<void> {
    await this.sites.change(this.#config, config);
    this.#config = config;
    await this.parts.alerts.follow(config);
    await this.#watches.follow(config);
  }

  async close(): Promise<void> {
    await this.sites.drain();
    await this.#watches.close();
    await this.sites.close();
    await Promise.all([this.parts.alerts.close(), this.parts.jobs.stop()]);
  }
}

/** What runs in worker threads else, where nobody can tell when it has ended. */
class HerePool extends CodecPool {
  readonly #sites: readonly SimulatedSite[];
  readonly #year: YearClock;

  constructor(sites: readonly SimulatedSite[], year: YearClock) {
    super(1);
    this.#sites = sites;
    this.#year = year;
  }

  override run<I, R>(...[job, input, options]: Parameters<typeof runHere<I, R>>): Promise<R> {
    return this.#year.atOnce(async () => (this.#answer(job.name, input) as R | undefined) ?? runHere(job, input, options));
  }

  /** Of those that open the store themselves. */
  #answer(job: string, input: unknown): unknown {
    if (job === 'readAncestors') return this.#ancestorsOf((input as { key: string }).key);
    return job === 'indexStoredWal' ? this.#indexOf((input as IndexStoredWalInput).object.key) : undefined;
  }

  #ancestorsOf(key: string): readonly number[] {
    const histories = this.#siteOf(key)?.cluster.histories;
    return (histories?.get(Number.parseInt(key.split('/')[2] ?? '', 16)) ?? []).map(({ timeline }) => timeline);
  }

  #indexOf(key: string): IndexedStoredWal {
    if (this.#siteOf(key)?.store.keys.has(key) !== true) throw objectMissing(key, 'the made-up store');
    return { index: { sealed: Buffer.from('what was committed'), plainBytes: 100 }, storedBytes: segmentBytes };
  }

  #siteOf(key: string): SimulatedSite | undefined {
    return this.#sites.find(({ name }) => key.startsWith(`${name}/`));
  }
}

function logTo(deps: SimulatedDaemonDeps, clock: HostClock, known: object): Log {
  const at = (level: string) => (fields: object, message: string) => {
    if (!clock.isDead) deps.log(deps.host, level, { ...known, ...fields }, message);
  };
  return {
    debug: () => {},
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (fields) => logTo(deps, clock, { ...known, ...fields }),
  };
}

function randomOf(random: SeededRandom): Random {
  const byte = () => random.between(0, 255).toString(16).padStart(2, '0');
  return { next: () => random.next(), hex: (bytes) => Array.from({ length: bytes }, byte).join('') };
}

function fail(why: string): never {
  throw new Error(why);
}
