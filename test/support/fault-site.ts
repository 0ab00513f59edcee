import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { nextWalName } from '../../src/postgres/wal-name.ts';
import { checkStore, type StoreContents } from './check-store.ts';
import { runOurs } from './commands.ts';
import { siteName, TestDaemon, type TestDaemonOptions } from './daemon.ts';
import { entriesBelow } from './entries-below.ts';
import { TestPostgres } from './postgres.ts';
import { makeTemporaryDirectory, type TemporaryDirectory } from './temporary-directory.ts';
import { waitFor } from './wait-for.ts';

const segmentBytes = 1024 * 1024;
const requestFile = 'requested_basebackup.json';
/** What is only remembered. */
const rememberedFiles = ['identity.json', 'basebackup_names.json'];

/** Base backups of some thirty chunks, a few of which are made at once. */
export const chunked = { basebackup_mode: 'local-tar', basebackup_chunk_size: 1_000_000, basebackup_chunks_in_progress: 3 };

export interface FaultSiteOptions extends Pick<TestDaemonOptions, 'encrypted' | 'env' | 'site' | 'global'> {
  /** Does something to the daemon's directory before the daemon is started; disposed of after the daemon has ended. */
  readonly prepare?: (directory: string) => Promise<AsyncDisposable>;
}

/** A PostgreSQL with small WAL segments that keeps all of them, a daemon that archives it, and a ledger whose every acknowledged row must survive. */
export class FaultSite implements AsyncDisposable {
  readonly postgres: TestPostgres;
  readonly daemon: TestDaemon;
  readonly #scratch: TemporaryDirectory;
  readonly #release: AsyncDisposableStack;
  readonly #acknowledged = new Set<string>();
  #rows = 0;
  #restores = 0;

  static async start(options: FaultSiteOptions = {}): Promise<FaultSite> {
    await using stack = new AsyncDisposableStack();
    const scratch = stack.use(await makeTemporaryDirectory());
    const settings = { archive_mode: 'on', archive_command: '/bin/false', wal_keep_size: '4GB', max_wal_size: '4GB' };
    const postgres = stack.use(await TestPostgres.start({ initdb: ['--wal-segsize=1'], settings }));
    const { prepare, site, ...rest } = options;
    const directory = join(scratch.path, 'pghoard');
    if (prepare) stack.use(await prepare(directory));
    const daemon = stack.use(await TestDaemon.start({ ...rest, directory, postgres, site: { basebackup_interval_hours: null, ...site } }));
    const started = new FaultSite(postgres, daemon, scratch, new AsyncDisposableStack());
    await started.#begin();
    started.#release.use(stack.move());
    return started;
  }

  private constructor(postgres: TestPostgres, daemon: TestDaemon, scratch: TemporaryDirectory, release: AsyncDisposableStack) {
    this.postgres = postgres;
    this.daemon = daemon;
    this.#scratch = scratch;
    this.#release = release;
  }

  /** For files of the test. */
  get directory(): string {
    return this.#scratch.path;
  }

  /** Rows of the ledger that PostgreSQL has acknowledged. */
  get rows(): number {
    return this.#rows;
  }

  get storedWalDirectory(): string {
    return join(this.daemon.storeDirectory, siteName, 'xlog');
  }

  get spooledWalDirectory(): string {
    return join(this.daemon.spoolDirectory, 'xlog');
  }

  /** Adds a row of about 200 kB that cannot be compressed much. */
  async addRow(): Promise<void> {
    const text = `(SELECT string_agg(md5(random()::text), '') FROM generate_series(1, 6000))`;
    await this.postgres.query(`INSERT INTO ledger VALUES (${this.#rows + 1}, ${text})`);
    this.#rows++;
  }

  /** Adds rows and ends segments. */
  async addSegments(count: number): Promise<void> {
    for (let n = 0; n < count; n++) {
      await this.addRow();
      await this.postgres.switchWal();
    }
  }

  /** Asks the daemon for all that waits to be archived at once, as PostgreSQL never would; what it says is stored must be. Resolves when all is answered. */
  async archiveAllAtOnce(): Promise<void> {
    const marks = await readdir(join(this.postgres.dataDirectory, 'pg_wal', 'archive_status'));
    const names = marks.flatMap((mark) => /^([0-9A-F]{24})\.ready$/.exec(mark)?.[1] ?? []);
    const archive = async (name: string) => {
      const { status } = await this.daemon.request('PUT', `/${siteName}/archive/${name}`);
      if (status === 201) this.#acknowledged.add(name);
    };
    await Promise.allSettled(names.map(archive));
  }

  /** Adds a row and ends the segment, and waits until PostgreSQL knows it, and all before it, as archived. */
  async settle(withinMs = 60_000): Promise<void> {
    await this.addRow();
    const name = await this.postgres.switchWal();
    const isArchived = async () => {
      const [row] = await this.postgres.query('SELECT last_archived_wal >= $1 AS done FROM pg_stat_archiver', [name]);
      return row?.['done'] === true;
    };
    await waitFor(isArchived, {
      withinMs,
      what: () => `${name} is archived:\n${this.daemon.log.slice(-3000)}\n${this.postgres.log().slice(-3000)}`,
    });
  }

  async requestBasebackup(): Promise<void> {
    const { status } = await this.daemon.request('PUT', `/${siteName}/basebackup`);
    assert.equal(status, 201);
  }

  /** Waits until the base backup has been taken that was requested, whatever happened to it. */
  async requestServed(): Promise<void> {
    const isServed = () => !existsSync(join(this.daemon.spoolDirectory, requestFile));
    await waitFor(isServed, { withinMs: 60_000, what: () => `the requested base backup is taken:\n${this.daemon.log.slice(-3000)}` });
  }

  /** Requests a base backup, and waits until it has begun, so that what others left has been cleaned up. */
  async beginBasebackup(): Promise<void> {
    const begun = () => this.daemon.log.split('base backup begins').length;
    const before = begun();
    await this.requestBasebackup();
    await waitFor(() => begun() > before, {
      withinMs: 60_000,
      everyMs: 1,
      what: () => `a base backup begins:\n${this.daemon.log.slice(-3000)}`,
    });
  }

  /** Waits until a sealed part of the base backup being taken has at least `bytes` bytes in the spool; resolves to how many it has. */
  async spooledPart(bytes: number): Promise<number> {
    const incoming = join(this.daemon.spoolDirectory, 'basebackup_incoming');
    const isThere = async () => {
      const parts = (await this.spooled()).filter((path) => path.startsWith(incoming) && !path.endsWith('manifest.json'));
      const sizes = await Promise.all(parts.map(async (path) => (await stat(path)).size));
      const size = Math.max(-1, ...sizes);
      return size >= bytes && { size };
    };
    const { size } = await waitFor(isThere, { withinMs: 60_000, everyMs: 1, what: `the spool has ${bytes} bytes of a base backup` });
    return size;
  }

  /** Takes a base backup to its end and returns its name. */
  async takeBasebackup(): Promise<string> {
    const before = await this.daemon.basebackups(0);
    await this.requestBasebackup();
    const names = await this.daemon.basebackups(before.length + 1);
    return names.at(-1) ?? '';
  }

  /** Chunks of base backups in the store, complete or not. */
  async chunks(): Promise<string[]> {
    return filesBelow(join(this.daemon.storeDirectory, siteName, 'basebackup_chunk'), (name) => name.endsWith('.pghoard'));
  }

  /** What waits there, or was left; that which is only remembered there does not count. */
  async spooled(): Promise<string[]> {
    return filesBelow(this.daemon.spoolDirectory, (name) => !rememberedFiles.includes(name) && !name.startsWith(requestFile));
  }

  /**
   * Nothing visible in the store is torn; all segments that PostgreSQL believes to be archived are there, with its own content, without a
   * hole, but for those that no base backup needs; and nothing is left in the spool.
   */
  async check(): Promise<StoreContents> {
    const archived = await this.#archivedNames();
    const contents = await checkStore(await this.daemon.catalog(), await this.#privateKey());
    await this.#checkArchived(archived, contents);
    this.#checkNoHole([...contents.wal.keys()].toSorted());
    await waitFor(async () => (await this.spooled()).length === 0, {
      withinMs: 30_000,
      what: 'the spool is empty',
    });
    return contents;
  }

  /** Restores the newest base backup and all WAL into a new directory, starts it, and counts the ledger. */
  async restoreAndCompare(): Promise<void> {
    const rows = this.#rows;
    const target = join(this.directory, `restored-${++this.#restores}`);
    const result = await runOurs('restore', this.restoreArguments(target, '--restore-to-primary'));
    assert.equal(result.code, 0, result.stdout + result.stderr);
    await using restored = await TestPostgres.startOn(target, { archive_mode: 'off' });
    await restored.promoted();
    await this.compareLedger(restored, rows);
  }

  restoreArguments(target: string, ...more: string[]): string[] {
    const { configFile } = this.daemon;
    return ['get-basebackup', '--config', configFile, '--site', siteName, '--target-dir', target, ...more];
  }

  /** All rows acknowledged before are there, and nothing that was never written. */
  async compareLedger(restored: TestPostgres, rows = this.#rows): Promise<void> {
    const sql = 'SELECT count(*)::int AS rows, min(id) AS first, count(DISTINCT id)::int AS ids FROM ledger WHERE id <= $1';
    assert.deepEqual(await restored.query(sql, [rows]), [{ rows, first: 1, ids: rows }]);
    const [lengths] = await restored.query('SELECT count(*)::int AS bad FROM ledger WHERE length(text) <> 192000');
    assert.deepEqual(lengths, { bad: 0 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#release.disposeAsync();
  }

  async #begin(): Promise<void> {
    await this.postgres.query('CREATE TABLE ledger (id int PRIMARY KEY, text text)');
    await this.postgres.query('ALTER TABLE ledger ALTER text SET STORAGE EXTERNAL');
    await this.postgres.query(`ALTER SYSTEM SET archive_command = '${this.daemon.archiveCommand}'`);
    await this.postgres.query('SELECT pg_reload_conf()');
    await this.settle();
  }

  get #walDirectory(): string {
    return join(this.postgres.dataDirectory, 'pg_wal');
  }

  /** What PostgreSQL, or who pushed it, was told is stored. To be asked before the store is read: archiving goes on. */
  async #archivedNames(): Promise<ReadonlySet<string>> {
    const [archiver] = await this.postgres.query('SELECT last_archived_wal AS name FROM pg_stat_archiver');
    const marks = await readdir(join(this.#walDirectory, 'archive_status'));
    const names = marks.flatMap((mark) => /^([0-9A-F]{24})\.done$/.exec(mark)?.[1] ?? []);
    const last = archiver?.['name'] as string | null;
    assert(names.length > 0 && last !== null, 'PostgreSQL has archived something');
    if (!last.endsWith('.backup')) assert(names.includes(last), 'PostgreSQL keeps what it has archived');
    return new Set([...names, ...this.#acknowledged]);
  }

  async #checkArchived(archived: ReadonlySet<string>, { wal, walNeededFrom }: StoreContents): Promise<void> {
    for (const name of archived) {
      if (name < walNeededFrom) continue;
      const hash = createHash('sha1')
        .update(await readFile(join(this.#walDirectory, name)))
        .digest('hex');
      assert.equal(wal.get(name), hash, `${name} is archived, so it is in the store as it is in pg_wal`);
    }
  }

  #checkNoHole(names: readonly string[]): void {
    for (const [at, name] of names.entries()) {
      const next = names[at + 1];
      if (next !== undefined) assert.equal(next, nextWalName(name, segmentBytes), 'the archive has no hole');
    }
  }

  async #privateKey(): Promise<string | undefined> {
    const { backup_sites: sites } = JSON.parse(await readFile(this.daemon.configFile, 'utf8')) as {
      backup_sites: Record<string, { encryption_keys?: Record<string, { private: string }> }>;
    };
    return sites[siteName]?.encryption_keys?.['key']?.private;
  }
}

async function filesBelow(directory: string, isWanted: (name: string) => boolean): Promise<string[]> {
  try {
    const entries = await entriesBelow(directory);
    return entries.filter((entry) => entry.isFile() && isWanted(entry.name)).map((entry) => join(entry.parentPath, entry.name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
