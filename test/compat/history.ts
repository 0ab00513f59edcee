import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { Catalog } from '../../src/catalog/catalog.ts';
import { SiteKeys } from '../../src/catalog/keys.ts';
import { loadConfig, selectSite } from '../../src/config/load.ts';
import { borrowStore } from '../../src/storage/shared-store.ts';
import { runOurs } from '../support/commands.ts';
import { archiveCommandTo, type TestDaemon } from '../support/daemon.ts';
import { endRestores } from '../support/end-restores.ts';
import { TestPostgres } from '../support/postgres.ts';
import { waitFor } from '../support/wait-for.ts';
import type { Fixture } from './fixture.ts';

/** Of the configuration; undefined takes a setting out. */
export interface Change {
  readonly global: Readonly<Record<string, unknown>>;
  readonly site: Readonly<Record<string, unknown>>;
}

/** The cluster that came out of a fixture, and the daemon that goes on backing it up into the same place. */
export class History implements AsyncDisposable {
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

  /** Resolves once it is in the store. */
  async write(note: string): Promise<void> {
    await this.#postgres.query('INSERT INTO notes (note) VALUES ($1)', [note]);
    const segment = await this.#postgres.switchWal();
    const catalog = await this.#catalog();
    await waitFor(() => catalog.findWal(segment), { withinMs: 60_000, what: () => `${segment} is archived:\n${this.#daemon.log}` });
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

  /** Restores a base backup and recovers over everything that came after it. */
  async expectRestored(name: string): Promise<void> {
    const notes = 'SELECT note FROM notes ORDER BY id';
    await using server = await this.restored(`from-${name}`, ['--basebackup', name]);
    assert.deepEqual(await server.query(notes), await this.#postgres.query(notes), name);
  }

  /** Has all but so many base backups pruned, with the WAL of the original's timeline. */
  async prune(count: number): Promise<void> {
    await endRestores(await this.#catalog());
    await this.reconfigure({ global: {}, site: { basebackup_count: count, retention_confirmation: false } });
    const isPruned = async () => (await this.basebackups()).length === count && !(await this.stored('xlog')).some(isOfFirstTimeline);
    await waitFor(isPruned, { withinMs: 30_000, what: () => `base backups and their WAL are pruned:\n${this.#daemon.log}` });
  }

  /** Names in a folder of the store. */
  async stored(folder: string): Promise<string[]> {
    const { store, keys } = await this.#catalog();
    const start = `${keys.sitePrefix}${folder}/`;
    const names: string[] = [];
    for await (const { key } of store.list(start)) names.push(key.slice(start.length));
    return names;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#postgres[Symbol.asyncDispose]();
    await this.#daemon[Symbol.asyncDispose]();
  }

  async #catalog(): Promise<Catalog> {
    const { object_storage, prefix } = selectSite(await loadConfig(this.#daemon.configFile));
    return new Catalog(await borrowStore(object_storage), new SiteKeys(prefix));
  }
}

export function isOfFirstTimeline(walName: string): boolean {
  return walName.startsWith('00000001');
}

async function restore(fixture: Fixture, daemon: TestDaemon, name: string, flags: readonly string[]): Promise<string> {
  const target = fixture.place(name);
  const where = ['--config', daemon.configFile, '--target-dir', target, '--restore-to-primary'];
  const { code, stdout, stderr } = await runOurs('restore', ['get-basebackup', ...where, ...flags]);
  assert.equal(code, 0, stdout + stderr);
  return target;
}
