import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { nextWalName } from '../../src/postgres/wal-name.ts';
import { siteName, TestDaemon } from './daemon.ts';
import { TestPostgres } from './postgres.ts';
import type { PostgresVersion } from './postgres-binaries.ts';
import { descendantsOf } from './process-tree.ts';
import { makeTemporaryDirectory } from './temporary-directory.ts';
import { waitFor } from './wait-for.ts';

/** The server sends nothing to the daemon, and keeps little WAL that no slot holds. */
const settings = { archive_mode: 'off', min_wal_size: '2MB', max_wal_size: '4MB', wal_keep_size: '8MB' };
export const segmentBytes = 1024 * 1024;

export interface ReceivingSiteOptions {
  /** Default: `pg_receivexlog`. A `walreceiver` makes its slot itself. */
  readonly mode?: 'pg_receivexlog' | 'walreceiver';
  readonly version?: PostgresVersion;
  /** For the server, beside or instead of ours. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Null: the node has none. */
  readonly slot?: string | null;
  /** For the node, instead of the server's own. */
  readonly dsn?: (postgres: TestPostgres) => string;
  readonly site?: Readonly<Record<string, unknown>>;
  readonly hba?: readonly string[];
  /** SQL, such as for the role of the node. */
  readonly sql?: string;
  /** Does something to the daemon's directory before the daemon is started; disposed of after the daemon has ended. */
  readonly prepare?: (directory: string) => Promise<AsyncDisposable>;
}

/** What the state file tells of a receiver, of both its places in it. */
export interface ReceiverState {
  readonly running: boolean;
  readonly latest_activity: string | null;
  /** Of a walreceiver. */
  readonly last_flushed_lsn?: number | null;
  readonly because: string;
  readonly rejected: readonly string[];
  readonly waiting: readonly { name: string; because: string }[];
}

/** A server with segments of 1 MB, and a daemon that receives its WAL. */
export class ReceivingSite implements AsyncDisposable {
  readonly directory: string;
  readonly postgres: TestPostgres;
  readonly daemon: TestDaemon;
  readonly #everything: AsyncDisposableStack;

  static async start(options: ReceivingSiteOptions = {}): Promise<ReceivingSite> {
    await using stack = new AsyncDisposableStack();
    const { path } = stack.use(await makeTemporaryDirectory());
    const {
      mode = 'pg_receivexlog',
      slot = 'pghoard',
      dsn = (server: TestPostgres) => server.dsn,
      site,
      hba = [],
      prepare,
      version,
    } = options;
    const postgres = stack.use(
      await TestPostgres.start({
        ...(version && { version }),
        initdb: ['--wal-segsize=1'],
        settings: { ...settings, ...options.settings },
        hba,
      }),
    );
    await postgres.query('CREATE TABLE ledger (id int PRIMARY KEY, entry text NOT NULL)');
    if (options.sql) await postgres.query(options.sql);
    const node = slot === null ? dsn(postgres) : { connection_string: dsn(postgres), slot };
    const receiving = { active_backup_mode: mode, basebackup_interval_hours: null, nodes: [node], ...site };
    if (slot !== null && mode === 'pg_receivexlog') await postgres.query(`SELECT pg_create_physical_replication_slot('${slot}', true)`);
    const directory = join(path, 'pghoard');
    if (prepare) stack.use(await prepare(directory));
    const daemon = stack.use(await TestDaemon.start({ directory, postgres, site: receiving }));
    return new ReceivingSite(path, postgres, daemon, stack.move());
  }

  private constructor(directory: string, postgres: TestPostgres, daemon: TestDaemon, everything: AsyncDisposableStack) {
    this.directory = directory;
    this.postgres = postgres;
    this.daemon = daemon;
    this.#everything = everything;
  }

  get incomingDirectory(): string {
    return join(this.daemon.spoolDirectory, 'xlog_incoming');
  }

  /** The receivers that the daemon runs now. */
  receivers(): number[] {
    return descendantsOf(this.daemon.pid ?? 0);
  }

  async state(): Promise<ReceiverState | undefined> {
    const state = JSON.parse(await readFile(join(this.daemon.directory, 'state.json'), 'utf8')) as {
      pg_receivexlogs: Record<string, ReceiverState>;
      walreceivers: Record<string, ReceiverState>;
      pghoard: { wal_receivers: Record<string, ReceiverState> };
    };
    const [common, ours] = [state.walreceivers[siteName] ?? state.pg_receivexlogs[siteName], state.pghoard.wal_receivers[siteName]];
    return common && ours && { ...common, ...ours };
  }

  /** Waits for words in the daemon's log, from `after` on; returns where the log ends by then. */
  async logged(words: RegExp, after = 0): Promise<number> {
    await waitFor(() => words.test(this.daemon.log.slice(after)), { withinMs: 30_000, what: () => `${words} in\n${this.daemon.log}` });
    return this.daemon.log.length;
  }

  /** Writes some rows, ends the segment, and waits until the store has it. Returns its name. */
  async addSegment(): Promise<string> {
    const name = await this.endSegment();
    await this.daemon.archived(name, 30_000);
    return name;
  }

  /** The same without waiting. */
  async endSegment(): Promise<string> {
    await this.postgres.query(`INSERT INTO ledger SELECT n, md5(n::text)
      FROM generate_series((SELECT coalesce(max(id), 0) + 1 FROM ledger), (SELECT coalesce(max(id), 0) + 100 FROM ledger)) AS n`);
    return this.postgres.switchWal();
  }

  /** Names of the segments in the store, of one timeline. */
  async storedWal(timeline = 1): Promise<string[]> {
    const catalog = await this.daemon.catalog();
    const names: string[] = [];
    for await (const { key } of catalog.store.list(catalog.keys.walPrefix)) names.push(key.slice(key.lastIndexOf('/') + 1));
    const prefix = timeline.toString(16).toUpperCase().padStart(8, '0');
    return names.filter((name) => /^[0-9A-F]{24}$/.test(name) && name.startsWith(prefix)).toSorted();
  }

  /** All that was received between the first and the last segment in the store gets there, too; uploads end in any order. */
  async assertNoHole(timeline = 1): Promise<void> {
    const isWhole = async () => {
      const names = await this.storedWal(timeline);
      return names.length > 0 && names.every((name, at) => at === 0 || name === nextWalName(names[at - 1] as string, segmentBytes));
    };
    const what = () => `the archive of timeline ${timeline} has no hole:\n${this.daemon.log}`;
    await waitFor(isWhole, { withinMs: 30_000, what });
  }

  /** A standby that follows the primary by itself, and asks no archive. */
  async standby(name: string): Promise<TestPostgres> {
    const target = join(this.directory, name);
    await this.daemon.restore(target, ['--primary-conninfo', this.postgres.dsn]);
    return TestPostgres.startOn(target, { restore_command: '' });
  }

  /** Waits until a standby has all that the primary has. */
  async caughtUp(standby: TestPostgres): Promise<void> {
    const rows = async (server: TestPostgres) => (await server.query('SELECT count(*)::int AS rows FROM ledger'))[0]?.['rows'];
    const wanted = await rows(this.postgres);
    await waitFor(async () => (await rows(standby)) === wanted, { withinMs: 30_000, what: 'the standby has caught up' });
  }

  /** Restores the newest base backup and all WAL, and starts it as a server of its own. */
  async restored(name: string, flags: readonly string[] = []): Promise<TestPostgres> {
    const target = join(this.directory, name);
    await this.daemon.restore(target, ['--restore-to-primary', ...flags]);
    const server = await TestPostgres.startOn(target, { archive_mode: 'off' });
    try {
      await server.promoted();
      return server;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#everything.disposeAsync();
  }
}
