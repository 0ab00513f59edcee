import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { Catalog } from '../../src/catalog/catalog.ts';
import { SiteKeys } from '../../src/catalog/keys.ts';
import { openStore } from '../../src/storage/drivers.ts';
import { runOurs } from '../support/commands.ts';
import { archiveCommandTo, type TestDaemon } from '../support/daemon.ts';
import { TestPostgres } from '../support/postgres.ts';
import { waitFor } from '../support/wait-for.ts';
import { Fixture } from './fixture.ts';

/** The old backup, and what we add to it, each with other settings than the one before. */
const ours = [
  { global: { compression: { algorithm: 'zstd', level: 3 } }, site: { basebackup_mode: 'local-tar' } },
  { global: { compression: { algorithm: 'lzma', level: 0 } }, site: { encryption_key_id: null, basebackup_mode: 'basic' } },
  { global: { compression: { algorithm: 'snappy' } }, site: { basebackup_mode: undefined, stream_compression: true } },
] as const;

test('what 1.4.0 began is continued, restored from before and after the change, and pruned', async () => {
  await using fixture = await Fixture.unpack('g-pghoard14-pipe-snappy-enc');
  await using history = await History.begin(fixture);
  const { site } = fixture.expected;
  const [old = ''] = await history.basebackups();
  for (const [index, change] of ours.entries()) {
    await history.reconfigure(change);
    await history.write(`after change ${index}`);
    await history.takeBasebackup();
  }
  const end = await history.write('at the end');
  const names = await history.basebackups();
  assert.deepEqual([names.length, names[0]], [4, old]);

  {
    await using server = await history.restored('before', ['--basebackup', old, '--recovery-target-name', 'rp_one']);
    await fixture.expectState(server, 'rp_one');
  }
  const reachesTheEnd = async (name: string) => {
    await using server = await history.restored(`from-${name}`, ['--basebackup', name]);
    assert.deepEqual(await server.query('SELECT note FROM notes ORDER BY id'), end, `${name}, over everything that came after it`);
  };
  for (const name of names.slice(0, 2)) await reachesTheEnd(name);

  const storedWal = () => readdir(join(fixture.storeDirectory, site, 'xlog'));
  assert((await storedWal()).includes('000000010000000000000003'), 'until now the WAL of the original is there');
  await history.reconfigure({ global: {}, site: { basebackup_count: 2 } });
  await waitFor(async () => (await history.basebackups()).length === 2, { withinMs: 30_000, what: 'old base backups are pruned' });
  assert.deepEqual(await history.basebackups(), names.slice(2));
  const isPruned = async () => !(await storedWal()).some((name) => name.startsWith('00000001'));
  await waitFor(isPruned, { withinMs: 30_000, what: 'the WAL of pruned base backups goes with them' });
  for (const name of names.slice(2)) await reachesTheEnd(name);
});

interface Change {
  readonly global: Readonly<Record<string, unknown>>;
  readonly site: Readonly<Record<string, unknown>>;
}

/** The cluster that came out of a fixture, and the daemon that goes on backing it up into the same place. */
class History implements AsyncDisposable {
  readonly #fixture: Fixture;
  readonly #daemon: TestDaemon;
  readonly #postgres: TestPostgres;
  #config: Change;

  /** Restores the latest state with our daemon, and starts a server there that archives to it, on a timeline of its own. */
  static async begin(fixture: Fixture): Promise<History> {
    await using stack = new AsyncDisposableStack();
    const daemon = stack.use(await fixture.daemon());
    const data = await restore(fixture, daemon, 'cluster', []);
    const settings = { archive_mode: 'on', archive_command: archiveCommandTo(daemon.port, fixture.expected.site), fsync: 'off' };
    const postgres = stack.use(await TestPostgres.startOn(data, settings));
    await postgres.promoted();
    await fixture.expectState(postgres, 'latest');
    await postgres.query('CREATE TABLE notes (id serial, note text)');
    const begun = new History(fixture, daemon, postgres);
    stack.move();
    return begun;
  }

  private constructor(fixture: Fixture, daemon: TestDaemon, postgres: TestPostgres) {
    this.#fixture = fixture;
    this.#daemon = daemon;
    this.#postgres = postgres;
    const { dsn, dataDirectory, bin } = postgres;
    const site = { active: true, nodes: [dsn], pg_data_directory: dataDirectory, pg_bin_directory: bin, basebackup_interval_hours: null };
    this.#config = { global: {}, site };
  }

  /** On top of what was changed before. */
  async reconfigure({ global, site }: Change): Promise<void> {
    this.#config = { global: { ...this.#config.global, ...global }, site: { ...this.#config.site, ...site } };
    const original = await this.#fixture.config();
    const { site: name } = this.#fixture.expected;
    const config = {
      ...original,
      ...this.#config.global,
      http_port: this.#daemon.port,
      backup_sites: { [name]: { ...original.backup_sites[name], ...this.#config.site } },
    };
    await this.#daemon.stop();
    await writeFile(this.#daemon.configFile, JSON.stringify(config));
    await this.#daemon.launch();
  }

  /** Returns all notes, once they are in the store. */
  async write(note: string): Promise<unknown> {
    await this.#postgres.query('INSERT INTO notes (note) VALUES ($1)', [note]);
    const segment = await this.#postgres.switchWal();
    const catalog = await this.#catalog();
    await waitFor(() => catalog.findWal(segment), { withinMs: 60_000, what: () => `${segment} is archived:\n${this.#daemon.log}` });
    return this.#postgres.query('SELECT note FROM notes ORDER BY id');
  }

  async takeBasebackup(): Promise<void> {
    const before = await this.basebackups();
    assert.equal((await this.#daemon.request('PUT', `/${this.#fixture.expected.site}/basebackup`)).status, 201);
    await waitFor(async () => (await this.basebackups()).length > before.length, {
      withinMs: 60_000,
      what: () => `a base backup is taken:\n${this.#daemon.log}`,
    });
  }

  /** Names, oldest first. */
  async basebackups(): Promise<string[]> {
    const { entries, unreadable } = await (await this.#catalog()).basebackups();
    assert.deepEqual(unreadable, []);
    return entries.map(({ name }) => name);
  }

  async restored(name: string, flags: readonly string[]): Promise<TestPostgres> {
    const server = await TestPostgres.startOn(await restore(this.#fixture, this.#daemon, name, flags), {
      archive_mode: 'off',
      fsync: 'off',
    });
    await server.promoted();
    return server;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#postgres[Symbol.asyncDispose]();
    await this.#daemon[Symbol.asyncDispose]();
  }

  async #catalog(): Promise<Catalog> {
    const { site, prefix } = this.#fixture.expected;
    const { object_storage: storage } = (await this.#fixture.config()).backup_sites[site] ?? assert.fail();
    return new Catalog(await openStore(storage as never), new SiteKeys(prefix));
  }
}

async function restore(fixture: Fixture, daemon: TestDaemon, name: string, flags: readonly string[]): Promise<string> {
  const target = fixture.place(name);
  const where = ['--config', daemon.configFile, '--target-dir', target, '--restore-to-primary'];
  const { code, stdout, stderr } = await runOurs('restore', ['get-basebackup', ...where, ...flags]);
  assert.equal(code, 0, stdout + stderr);
  return target;
}
