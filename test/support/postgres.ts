import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { appendFile, chmod, chown, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from 'pg';
import { freePort } from './free-port.ts';
import { makeCluster } from './make-cluster.ts';
import { hasDebianPostgres, type PostgresVersion, postgresBin } from './postgres-binaries.ts';
import { descendantsOf, isRunning, signalProcess } from './process-tree.ts';
import { systemUser } from './system-user.ts';
import { makeDirectoryInMemory, makeTemporaryDirectory, type TemporaryDirectory } from './temporary-directory.ts';
import { waitFor } from './wait-for.ts';

export { systemUser } from './system-user.ts';

export type Row = Record<string, unknown>;

export interface TestPostgresOptions {
  /** Debian's 15 or the newest one from npm; by default Debian's where it is installed. */
  readonly version?: PostgresVersion;
  /** Written to postgresql.conf. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Further arguments for initdb, such as `--wal-segsize=1`. */
  readonly initdb?: readonly string[];
  /** An existing directory to put the cluster into (as `data`); otherwise a temporary one. */
  readonly directory?: string;
  /** Lines for pg_hba.conf, ahead of those that trust everybody on this machine. */
  readonly hba?: readonly string[];
}

export interface StartOnOptions {
  readonly version?: PostgresVersion;
  /** Otherwise it is enough that the server has started; it may refuse connections while it recovers. */
  readonly waitForRecovery?: boolean;
}

const readyWithinMs = 60_000;
/** The limit of a socket's path is 107 bytes, of which `/.s.PGSQL.65535.lock` takes 20. */
const socketDirectoryLengthMax = 85;

const defaultSettings: Readonly<Record<string, string>> = {
  autovacuum: 'off',
  fsync: 'off',
  jit: 'off',
  max_replication_slots: '10',
  max_wal_senders: '10',
  shared_buffers: '16MB',
  wal_level: 'replica',
};

/** What a start needs, and a restart again. */
interface Place {
  readonly bin: string;
  readonly dataDirectory: string;
  readonly socketDirectory: string;
  readonly scratch: TemporaryDirectory;
  readonly port: number;
}

/**
 * A PostgreSQL of its own for a test: fresh cluster, free port, own socket directory, superuser `postgres` without password on the socket
 * and on 127.0.0.1. It dies with the test process, also when that is killed.
 */
export class TestPostgres implements AsyncDisposable {
  readonly bin: string;
  readonly dataDirectory: string;
  readonly socketDirectory: string;
  readonly port: number;
  readonly #scratch: TemporaryDirectory;
  readonly #overrides: Readonly<Record<string, string>>;
  #server: ChildProcess | undefined;
  #client: Promise<Client> | undefined;

  private constructor(place: Place, overrides: Readonly<Record<string, string>>) {
    this.bin = place.bin;
    this.dataDirectory = place.dataDirectory;
    this.socketDirectory = place.socketDirectory;
    this.port = place.port;
    this.#scratch = place.scratch;
    this.#overrides = overrides;
  }

  /** A fresh cluster, started: about half a second. */
  static async start(options: TestPostgresOptions = {}): Promise<TestPostgres> {
    const scratch = await makeDirectoryInMemory();
    return disposingOnFailure(scratch, async () => {
      const bin = await postgresBin(options.version ?? (await defaultVersion()), scratch.path);
      const home = options.directory ?? scratch.path;
      const place = await placeAt(join(home, 'data'), bin, scratch);
      await initCluster(place, options);
      return TestPostgres.#started(place, {}, true);
    });
  }

  /**
   * Starts a server on an existing directory, such as a restored one, whose owner and settings stay as they are; `settings` go on the
   * command line. Waits until it accepts connections, be it read-only ones. Disposing stops the server and leaves the directory.
   */
  static async startOn(
    dataDirectory: string,
    settings: Readonly<Record<string, string>> = {},
    options: StartOnOptions = {},
  ): Promise<TestPostgres> {
    const scratch = await makeTemporaryDirectory();
    return disposingOnFailure(scratch, async () => {
      const bin = await postgresBin(options.version ?? (await versionOf(dataDirectory)), scratch.path);
      const place = await placeAt(dataDirectory, bin, scratch);
      return TestPostgres.#started(place, settings, options.waitForRecovery ?? true);
    });
  }

  static async #started(place: Place, overrides: Readonly<Record<string, string>>, waitForRecovery: boolean): Promise<TestPostgres> {
    const postgres = new TestPostgres(place, overrides);
    try {
      await postgres.launch({ waitForRecovery });
    } catch (error) {
      await postgres.kill9();
      throw error;
    }
    return postgres;
  }

  /** URI for clients over TCP. */
  get dsn(): string {
    return `postgres://postgres@127.0.0.1:${this.port}/postgres`;
  }

  /** Process id of the postmaster; `undefined` while it is down. */
  get pid(): number | undefined {
    return this.#server?.pid;
  }

  /** Over the socket, with one connection that is kept. */
  async query(sql: string, params: unknown[] = []): Promise<Row[]> {
    const client = await (this.#client ??= this.#connect());
    const { rows } = await client.query<Row>(sql, params);
    return rows;
  }

  /** Ends the current segment, which holds at least one record, and returns its name. */
  async switchWal(): Promise<string> {
    await this.query(`SELECT pg_logical_emit_message(false, 'test', 'so that there is something to switch')`);
    const rows = await this.query('SELECT pg_walfile_name(pg_switch_wal()) AS name');
    return rows[0]?.['name'] as string;
  }

  /** Waits until the server has ended recovery and takes writes. */
  async promoted(withinMs = readyWithinMs): Promise<void> {
    const outcome = async () => {
      if (this.#hasEnded) return 'ended';
      return (await this.query('SELECT pg_is_in_recovery() AS recovering'))[0]?.['recovering'] === false && 'primary';
    };
    const state = await waitFor(outcome, { withinMs, what: () => `the server ends recovery:\n${this.log()}` });
    assert.equal(state, 'primary', `the server ended in recovery:\n${this.log()}`);
  }

  /** Waits until the server has ended by itself; resolves to its log. */
  async ended(withinMs = readyWithinMs): Promise<string> {
    await waitFor(() => this.#hasEnded, { withinMs, what: () => `the server ends by itself:\n${this.log()}` });
    return this.log();
  }

  /** What the server and the commands it ran printed. */
  log(): string {
    return existsSync(this.#logFile) ? readFileSync(this.#logFile, 'utf8') : '';
  }

  async stop(mode: 'fast' | 'immediate' = 'fast'): Promise<void> {
    await this.#disconnect();
    await this.#endServer((pid) => signalProcess(pid, mode === 'fast' ? 'SIGINT' : 'SIGQUIT'));
  }

  /** As a crash: the postmaster and all its children are killed. */
  async kill9(): Promise<void> {
    let victims: number[] = [];
    await this.#disconnect();
    await this.#endServer((pid) => {
      // Stopped first, so that it cannot start children while they are counted.
      signalProcess(pid, 'SIGSTOP');
      victims = [...descendantsOf(pid), pid];
      for (const victim of victims) signalProcess(victim, 'SIGKILL');
    });
    await waitFor(() => !victims.some(isRunning), { withinMs: 30_000, everyMs: 5, what: 'all processes of the server are gone' });
  }

  /** Stops it if it runs, and starts it again on the same port. */
  async restart(options: { waitForRecovery?: boolean } = {}): Promise<void> {
    await this.stop();
    await this.launch(options);
  }

  /** Starts the server again after {@link stop} or {@link kill9}. */
  async launch({ waitForRecovery = true }: { waitForRecovery?: boolean } = {}): Promise<void> {
    assert(this.#server === undefined, 'the server runs already');
    this.#server = await this.#spawn();
    const wanted = waitForRecovery ? /^(ready|standby)\s*$/ : /./;
    const server = this.#server;
    const started = await waitFor(
      () => server.exitCode !== null || server.signalCode !== null || (wanted.test(this.#status()) && 'ready'),
      {
        withinMs: readyWithinMs,
        everyMs: 20,
        what: () => `PostgreSQL on ${this.dataDirectory} accepts connections\n${this.log().slice(-3000)}`,
      },
    );
    if (started !== 'ready') {
      this.#server = undefined;
      throw new Error(`PostgreSQL on ${this.dataDirectory} ended at once:\n${this.log().slice(-3000)}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop('immediate');
    if (this.socketDirectory !== this.#scratch.path) await rm(this.socketDirectory, { recursive: true, force: true });
    await this.#scratch[Symbol.asyncDispose]();
  }

  get #hasEnded(): boolean {
    return this.#server?.exitCode !== null || this.#server.signalCode !== null;
  }

  get #logFile(): string {
    return join(this.#scratch.path, 'postgres.log');
  }

  /** Line 8 of postmaster.pid (utils/pidfile.h): starting, stopping, ready, standby. The file of a dead server names another pid. */
  #status(): string {
    try {
      const lines = readFileSync(join(this.dataDirectory, 'postmaster.pid'), 'utf8').split('\n');
      return Number(lines[0]) === this.#server?.pid ? (lines[7] ?? '') : '';
    } catch {
      return '';
    }
  }

  async #spawn(): Promise<ChildProcess> {
    const settings: Record<string, string> = {
      listen_addresses: '127.0.0.1',
      port: String(this.port),
      unix_socket_directories: this.socketDirectory,
      ...this.#overrides,
    };
    const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const command = [join(this.bin, 'postgres'), '-D', this.dataDirectory, ...flags];
    const logFile = openSync(this.#logFile, 'a');
    try {
      // The kernel signals it when the test process dies. Its own process group keeps a Ctrl-C at the terminal away from it.
      const child = spawn('setpriv', ['--pdeathsig', 'QUIT', '--', ...command], {
        ...systemUser(),
        cwd: this.#scratch.path,
        detached: true,
        stdio: ['ignore', logFile, logFile],
      });
      await once(child, 'spawn');
      return child;
    } finally {
      closeSync(logFile);
    }
  }

  async #connect(): Promise<Client> {
    const client = new Client({ host: this.socketDirectory, port: this.port, user: 'postgres', database: 'postgres' });
    const forget = () => (this.#client = undefined);
    client.on('error', forget).on('end', forget);
    await client.connect().catch((error: unknown) => {
      forget();
      throw error;
    });
    return client;
  }

  async #disconnect(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    await (await client?.catch(() => undefined))?.end();
  }

  async #endServer(end: (pid: number) => void): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server?.pid === undefined || server.exitCode !== null || server.signalCode !== null) return;
    const gone = once(server, 'exit');
    end(server.pid);
    await gone;
  }
}

async function initCluster(place: Place, options: TestPostgresOptions): Promise<void> {
  await makeCluster(place.bin, place.dataDirectory, options.initdb);
  const settings = Object.entries({ ...defaultSettings, ...options.settings });
  const lines = settings.map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'\n`);
  await appendFile(join(place.dataDirectory, 'postgresql.conf'), lines.join(''));
  if (options.hba) {
    const hba = join(place.dataDirectory, 'pg_hba.conf');
    await writeFile(hba, `${options.hba.join('\n')}\n${await readFile(hba, 'utf8')}`);
  }
}

async function placeAt(dataDirectory: string, bin: string, scratch: TemporaryDirectory): Promise<Place> {
  const { uid, gid } = systemUser();
  const socketDirectory = scratch.path.length <= socketDirectoryLengthMax ? scratch.path : await mkdtemp('/tmp/pg-');
  for (const directory of new Set([scratch.path, socketDirectory])) {
    await chmod(directory, 0o755);
    await chown(directory, uid, gid);
  }
  return { bin, dataDirectory, socketDirectory, scratch, port: await freePort() };
}

async function defaultVersion(): Promise<PostgresVersion> {
  return (await hasDebianPostgres()) ? '15' : 'embedded';
}

async function versionOf(dataDirectory: string): Promise<PostgresVersion> {
  const version = await readFile(join(dataDirectory, 'PG_VERSION'), 'utf8');
  if (version.trim() === '13') return '13';
  return version.trim() === '15' && (await hasDebianPostgres()) ? '15' : 'embedded';
}

async function disposingOnFailure<T>(scratch: TemporaryDirectory, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    await scratch[Symbol.asyncDispose]();
    throw error;
  }
}
