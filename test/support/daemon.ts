import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Catalog } from '../../src/catalog/catalog.ts';
import { SiteKeys } from '../../src/catalog/keys.ts';
import { createKeyPair } from '../../src/codec/keys.ts';
import { writeFileAtomic } from '../../src/lib/atomic-file.ts';
import type { ProgramResult } from '../../src/lib/subprocess.ts';
import { openStore } from '../../src/storage/drivers.ts';
import type { ObjectStore } from '../../src/storage/object-store.ts';
import { storageOptions } from '../../src/storage/options.ts';
import { commandLine, installedCommandLine, runOurs } from './commands.ts';
import { freePort } from './free-port.ts';
import { packageRoot } from './package-root.ts';
import type { TestPostgres } from './postgres.ts';
import { waitFor } from './wait-for.ts';

/** The site that tests back up, and the prefix of its keys. */
export const siteName = 'main';

export interface TestDaemonOptions {
  /** Where spool, store, state and configuration go. */
  readonly directory: string;
  /** The server to back up; absent: a site that only serves restores. */
  readonly postgres?: TestPostgres;
  readonly encrypted?: boolean;
  /** Added to, or instead of, what the site has by default. */
  readonly site?: Readonly<Record<string, unknown>>;
  /** The same for the top level. */
  readonly global?: Readonly<Record<string, unknown>>;
  /** Where it is to listen; otherwise any free port. */
  readonly port?: number;
  /** Started by the launcher, as an operator does it. */
  readonly isInstalled?: boolean;
  /** Added to the environment that it is started in. */
  readonly env?: NodeJS.ProcessEnv;
}

/** What a test changes in a configuration that is in force; undefined takes a setting out. */
export interface ConfigChanges {
  readonly site?: Readonly<Record<string, unknown>>;
  /** Further sites, by name; undefined takes one out. */
  readonly others?: Readonly<Record<string, Readonly<Record<string, unknown>> | undefined>>;
  readonly global?: Readonly<Record<string, unknown>>;
}

type Config = Record<string, unknown> & { backup_sites: Record<string, Record<string, unknown>> };

const upWithinMs = 60_000;

/** The real daemon as a child process, with a configuration of its own, and what a test asks of it. It dies with the test process. */
export class TestDaemon implements AsyncDisposable {
  readonly directory: string;
  readonly configFile: string;
  readonly port: number;
  /** Opened past the daemon, by their configuration. */
  readonly #stores = new Map<string, Promise<ObjectStore>>();
  readonly #env: NodeJS.ProcessEnv;
  readonly #commandLine: readonly [string, ...string[]];
  #child: ChildProcess | undefined;
  #log = '';

  /** Writes the configuration and starts the daemon; resolves once it answers. */
  static async start(options: TestDaemonOptions): Promise<TestDaemon> {
    const daemon = await TestDaemon.prepare(options);
    try {
      await daemon.launch();
    } catch (error) {
      await daemon.kill9();
      throw error;
    }
    return daemon;
  }

  /** Only writes the configuration. */
  static async prepare(options: TestDaemonOptions): Promise<TestDaemon> {
    const daemon = new TestDaemon(options, options.port ?? (await freePort()));
    await mkdir(options.directory, { recursive: true });
    await writeFile(daemon.configFile, JSON.stringify(await configOf(options, daemon.port), undefined, 2), { mode: 0o600 });
    return daemon;
  }

  private constructor({ directory, env = {}, isInstalled = false }: TestDaemonOptions, port: number) {
    this.directory = directory;
    this.port = port;
    this.#env = env;
    this.#commandLine = isInstalled ? installedCommandLine('pghoard') : commandLine('pghoard');
    this.configFile = join(directory, 'pghoard.json');
  }

  /** What it wrote to standard error so far. */
  get log(): string {
    return this.#log;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get spoolDirectory(): string {
    return join(this.directory, 'spool', siteName);
  }

  get storeDirectory(): string {
    return join(this.directory, 'store');
  }

  /** Value for PostgreSQL's archive_command. */
  get archiveCommand(): string {
    return archiveCommandTo(this.port);
  }

  async launch(): Promise<void> {
    const child = this.spawn();
    const isUp = async () => {
      if (child.exitCode !== null) return 'ended';
      const { status, body } = await this.request('GET', '/status');
      await body?.cancel(); // Node's fetch fails by an assertion where a long one is left and the connection ends
      // 401: it is up and wants credentials.
      return status === 200 || status === 401 ? 'up' : undefined;
    };
    const state = await waitFor(isUp, { withinMs: upWithinMs, what: () => `the daemon answers:\n${this.#log}` });
    if (state === 'ended') throw new Error(`the daemon ended with ${child.exitCode}:\n${this.#log}`);
  }

  /** Starts it without waiting until it is up. */
  spawn(): ChildProcess {
    const [program, ...args] = this.#commandLine;
    const wrapped = ['--pdeathsig', 'KILL', '--', program, ...args, '--config', this.configFile];
    const child = spawn('setpriv', wrapped, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...this.#env } });
    child.stderr.on('data', (chunk: Buffer) => (this.#log += chunk.toString()));
    this.#child = child;
    return child;
  }

  async request(method: string, path: string, headers: Record<string, string> = {}): Promise<Response> {
    return fetch(`http://127.0.0.1:${this.port}${path}`, { method, headers });
  }

  /** Changes the configuration file. */
  async configure({ site = {}, others = {}, global = {} }: ConfigChanges): Promise<void> {
    const config = await this.#config();
    const sites = { ...config.backup_sites, ...others, [siteName]: { ...config.backup_sites[siteName], ...site } };
    const changed = { ...config, ...global, backup_sites: sites };
    await writeFileAtomic(this.configFile, JSON.stringify(changed, undefined, 2), { mode: 0o600 });
  }

  /** The same, and has the daemon read it again. */
  async reconfigure(changes: ConfigChanges): Promise<void> {
    await this.configure(changes);
    const before = this.#log.length;
    this.#child?.kill('SIGHUP');
    const answer = await waitFor(() => /configuration (not )?reloaded[^]*/.exec(this.#log.slice(before)), {
      withinMs: upWithinMs,
      what: () => `the daemon reads its configuration again:\n${this.#log}`,
    });
    assert.equal(answer[1], undefined, answer[0]);
  }

  /** The part of the configuration that is a site's. */
  async siteConfig(site = siteName): Promise<Record<string, unknown>> {
    return (await this.#config()).backup_sites[site] ?? {};
  }

  /** What the store has, asked past the daemon. */
  async catalog(): Promise<Catalog> {
    const options = (await this.siteConfig())['object_storage'];
    const name = JSON.stringify(options);
    const opened = this.#stores.get(name) ?? openStore(storageOptions.parse(options));
    this.#stores.set(name, opened);
    return new Catalog(await opened, new SiteKeys(siteName));
  }

  /** Asks for a base backup, waits until it is complete, and returns its name. */
  async basebackup(withinMs = 60_000): Promise<string> {
    const before = new Set(await this.basebackups(0));
    const logged = this.#log.length;
    const { status } = await this.request('PUT', `/${siteName}/basebackup`);
    assert.equal(status, 201);
    const outcome = async () => {
      const failure = /.*base backup failed.*/.exec(this.#log.slice(logged));
      return failure ?? (await this.basebackups(0)).find((name) => !before.has(name));
    };
    const name = await waitFor(outcome, { withinMs, what: () => `a base backup is taken:\n${this.#log}` });
    assert.equal(typeof name, 'string', String(name));
    return String(name);
  }

  /** Runs `pghoard_restore get-basebackup` with its configuration, and expects success. Returns what was printed. */
  async restore(target: string, flags: readonly string[] = []): Promise<string> {
    const { code, stdout, stderr } = await this.tryRestore(target, flags);
    assert.equal(code, 0, stdout + stderr);
    return stdout;
  }

  /** The same with any outcome. */
  tryRestore(target: string, flags: readonly string[] = []): Promise<ProgramResult> {
    return runOurs('restore', ['get-basebackup', '--config', this.configFile, '--site', siteName, '--target-dir', target, ...flags]);
  }

  /** Waits until the store has at least so many complete base backups, and returns their names. */
  async basebackups(count: number, withinMs = 60_000): Promise<string[]> {
    const catalog = await this.catalog();
    const enough = async () => {
      const { entries } = await catalog.basebackups();
      return entries.length >= count && entries.map(({ name }) => name);
    };
    return waitFor(enough, { withinMs, what: () => `${count} base backups in the store:\n${this.#log}` });
  }

  /** Waits until the store has the WAL file. */
  async archived(name: string, withinMs = 60_000): Promise<void> {
    const catalog = await this.catalog();
    await waitFor(() => catalog.findWal(name), { withinMs, what: () => `${name} is archived:\n${this.#log}` });
  }

  /** Waits until the store has the WAL file no longer. */
  async walGone(name: string, withinMs = 30_000): Promise<void> {
    const catalog = await this.catalog();
    const isGone = async () => (await catalog.findWal(name)) === undefined;
    await waitFor(isGone, { withinMs, what: () => `${name} goes:\n${this.#log}` });
  }

  /** Waits until it has ended by itself, or by a signal sent before; resolves to the exit code. */
  async ended(): Promise<number | null> {
    const child = this.#child;
    if (child && child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    return child?.exitCode ?? null;
  }

  /** Resolves to the exit code. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    const child = this.#child;
    if (!child) return null;
    if (child.exitCode === null && child.signalCode === null) {
      child.kill(signal);
      await once(child, 'exit');
    }
    return child.exitCode;
  }

  async kill9(): Promise<void> {
    await this.stop('SIGKILL');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill9();
    for (const store of this.#stores.values()) await (await store).close();
  }

  async #config(): Promise<Config> {
    return JSON.parse(await readFile(this.configFile, 'utf8')) as Config;
  }
}

/** As it is installed. */
const postgresCommand = join(packageRoot, 'bin/pghoard_postgres_command');

/** Value of archive_command for a daemon that listens, or will listen, on that port. */
export function archiveCommandTo(port: number, site = siteName): string {
  return [postgresCommand, '--mode', 'archive', '--site', site, '--port', String(port), '--xlog', '%f'].join(' ');
}

/** The same for restore_command. */
export function restoreCommandTo(port: number, site = siteName): string {
  const flags = ['--mode', 'restore', '--site', site, '--port', String(port), '--xlog', '%f', '--output', '%p'];
  return [postgresCommand, ...flags].join(' ');
}

async function configOf(
  { directory, postgres, encrypted = false, site = {}, global = {} }: TestDaemonOptions,
  port: number,
): Promise<unknown> {
  const keys = encrypted ? await createKeyPair(2048) : undefined;
  return {
    backup_location: join(directory, 'spool'),
    json_state_file_path: join(directory, 'state.json'),
    maintenance_mode_file: join(directory, 'maintenance'),
    alert_file_dir: join(directory, 'alerts'),
    http_port: port,
    log_level: 'DEBUG',
    compression: { algorithm: 'snappy', thread_count: 2 },
    restore_process_count: 2,
    ...global,
    backup_sites: {
      [siteName]: {
        active: postgres !== undefined,
        active_backup_mode: 'archive_command',
        basebackup_mode: 'local-tar',
        basebackup_count: 10,
        object_storage: { storage_type: 'local', directory: join(directory, 'store') },
        ...(postgres && { nodes: [postgres.dsn], pg_data_directory: postgres.dataDirectory, pg_bin_directory: postgres.bin }),
        ...(keys && { encryption_key_id: 'key', encryption_keys: { key: { public: keys.publicKey, private: keys.privateKey } } }),
        ...site,
      },
    },
  };
}
