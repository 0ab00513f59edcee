import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { archiveCommandTo, TestDaemon, type TestDaemonOptions } from './daemon.ts';
import { freePort } from './free-port.ts';
import { type StartOnOptions, TestPostgres, type TestPostgresOptions } from './postgres.ts';
import { hasDebianPostgres, type PostgresVersion } from './postgres-binaries.ts';
import { clientProgram } from './postgres-programs.ts';
import { makeTemporaryDirectory, type TemporaryDirectory } from './temporary-directory.ts';
import { waitFor } from './wait-for.ts';

export interface TestSiteOptions
  extends Pick<TestPostgresOptions, 'version' | 'settings' | 'initdb' | 'hba'>,
    Pick<TestDaemonOptions, 'encrypted' | 'site' | 'global'> {
  /** An existing directory for everything; otherwise a temporary one. */
  readonly directory?: string;
}

export type ServerSettings = Readonly<Record<string, string>>;

/** A server and the daemon that backs it up, each a process of its own: what most end-to-end tests begin with. */
export class TestSite implements AsyncDisposable {
  readonly version: PostgresVersion;
  /** For whatever the test needs; PostgreSQL's user may enter it. */
  readonly directory: string;
  readonly postgres: TestPostgres;
  readonly daemon: TestDaemon;
  readonly #everything: AsyncDisposableStack;

  /** Starts both. Base backups are taken on request only, unless `site` says otherwise. */
  static async start(options: TestSiteOptions = {}): Promise<TestSite> {
    await using stack = new AsyncDisposableStack();
    const version = options.version ?? ((await hasDebianPostgres()) ? '15' : 'embedded');
    const scratch: TemporaryDirectory = stack.use(await makeTemporaryDirectory());
    const directory = options.directory ?? scratch.path;
    const port = await freePort();
    const postgres = stack.use(await TestPostgres.start(serverOptions({ ...options, version }, port)));
    const daemon = stack.use(
      await TestDaemon.start({ ...(await daemonOptions({ ...options, version })), directory: join(directory, 'pghoard'), postgres, port }),
    );
    return new TestSite(version, directory, { postgres, daemon }, stack.move());
  }

  private constructor(
    version: PostgresVersion,
    directory: string,
    { postgres, daemon }: Pick<TestSite, 'postgres' | 'daemon'>,
    everything: AsyncDisposableStack,
  ) {
    this.version = version;
    this.directory = directory;
    this.postgres = postgres;
    this.daemon = daemon;
    this.#everything = everything;
  }

  /** A path for a directory that is not there yet. */
  place(name: string): string {
    return join(this.directory, name);
  }

  /** Takes a base backup and returns its name. */
  async basebackup(): Promise<string> {
    return this.daemon.basebackup();
  }

  /** Resolves once all that was committed until now is in the store, and PostgreSQL knows it; returns the name of the segment that was ended for it. */
  async archiveAll(): Promise<string> {
    const name = await this.postgres.switchWal();
    await this.daemon.archived(name);
    const mark = join(this.postgres.dataDirectory, 'pg_wal', 'archive_status', `${name}.ready`);
    await waitFor(() => !existsSync(mark), {
      withinMs: 60_000,
      what: () => `PostgreSQL knows that ${name} is archived:\n${this.postgres.log()}`,
    });
    return name;
  }

  /** Restores to a new place and starts a server there, which does not archive; resolves once it accepts connections. */
  async restored(name: string, flags: readonly string[] = [], options: RestoredOptions = {}): Promise<TestPostgres> {
    const target = this.place(name);
    await (options.daemon ?? this.daemon).restore(target, flags);
    return this.startOn(target, options);
  }

  /** Starts a server of the same version on a restored directory. */
  async startOn(directory: string, { settings = {}, waitForRecovery = true }: RestoredOptions = {}): Promise<TestPostgres> {
    return TestPostgres.startOn(directory, { archive_mode: 'off', ...settings }, { version: this.version, waitForRecovery });
  }

  /** The same, as a server of its own that has reached the end of the archive or its target. */
  async recovered(name: string, flags: readonly string[] = [], options: RestoredOptions = {}): Promise<TestPostgres> {
    const server = await this.restored(name, ['--restore-to-primary', ...flags], options);
    try {
      await server.promoted();
      return server;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** A daemon on another host: the same store and keys, but no server and no data directory. */
  async elsewhere(name: string): Promise<TestDaemon> {
    const { object_storage, encryption_key_id, encryption_keys } = await this.daemon.siteConfig();
    return TestDaemon.start({ directory: this.place(name), site: { object_storage, encryption_key_id, encryption_keys } });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#everything.disposeAsync();
  }
}

export interface RestoredOptions extends Pick<StartOnOptions, 'waitForRecovery'> {
  readonly settings?: ServerSettings;
  /** Another daemon than the site's own. */
  readonly daemon?: TestDaemon;
}

function serverOptions({ version, settings, initdb, hba }: TestSiteOptions, port: number): TestPostgresOptions {
  return {
    ...(version && { version }),
    ...(initdb && { initdb }),
    ...(hba && { hba }),
    settings: { archive_mode: 'on', archive_command: archiveCommandTo(port), ...settings },
  };
}

async function daemonOptions({ version = '15', encrypted = false, site, global }: TestSiteOptions) {
  return {
    encrypted,
    site: { basebackup_interval_hours: null, pg_bin_directory: dirname(await clientProgram('pg_basebackup', version)), ...site },
    ...(global && { global }),
  };
}
