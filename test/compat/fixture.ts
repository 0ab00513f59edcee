import assert from 'node:assert/strict';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runProgram } from '../../src/lib/subprocess.ts';
import type { Metadata } from '../../src/storage/object-store.ts';
import { TestDaemon } from '../support/daemon.ts';
import { packageRoot } from '../support/package-root.ts';
import type { TestPostgres } from '../support/postgres.ts';
import { makeTemporaryDirectory, type TemporaryDirectory } from '../support/temporary-directory.ts';

/** Stores that Python PGHoard wrote, each with its configuration and keys, and what restores of it must lead to: `fixtures/NAME.tar.xz`. */
export const fixtureNames = [
  'a-snappy-pipe-plain',
  'b-lzma-basic-enc',
  'c-zstd-localtar-enc-tablespace',
  'd-snappy-delta-plain',
  'e-snappy-localtardeltastats-plain',
  'f-snappy-basic-timelines',
  'g-pghoard14-pipe-snappy-enc',
  'h-pghoard14-localtar-lzma-tablespace',
] as const;
export type FixtureName = (typeof fixtureNames)[number];

/** The rows of the tables `fixture` and, in a tablespace, `fixture_ts`. */
export interface FixtureState {
  readonly name: string;
  readonly target: null | 'latest' | { readonly timeline: number } | { readonly name: string; readonly xid: string; readonly time: string };
  /** Base backups that this state can be reached from; absent: all. */
  readonly from_basebackups?: readonly string[];
  readonly rows: number;
  readonly md5: string;
  readonly ts_rows?: number;
  readonly ts_md5?: string;
}

export interface FixtureExpectations {
  readonly site: string;
  readonly prefix: string;
  readonly last_segment: string;
  readonly system_identifier: string;
  readonly tables: readonly string[];
  /** A query with `<table>` in it. */
  readonly checksum_sql: string;
  readonly tablespaces: Readonly<Record<string, unknown>>;
  readonly states: readonly FixtureState[];
  /** Metadata by the last part of the key. */
  readonly basebackups: Readonly<Record<string, Metadata>>;
  /** By key, those of the sidecars included. */
  readonly objects: Readonly<Record<string, { readonly size: number; readonly sha256: string }>>;
}

export interface FixtureSite extends Record<string, unknown> {
  readonly object_storage: { readonly storage_type: 'local'; readonly directory: string };
  readonly encryption_keys?: Readonly<Record<string, { readonly public: string; readonly private: string }>>;
}

export interface FixtureConfig extends Record<string, unknown> {
  readonly backup_sites: Readonly<Record<string, FixtureSite>>;
}

/** A copy of one of the stores, in a temporary directory that anybody may enter. */
export class Fixture implements AsyncDisposable {
  readonly name: FixtureName;
  readonly expected: FixtureExpectations;
  /** What the site has otherwise than the original had it, such as another store to which the test has moved the objects. */
  siteChange: Readonly<Record<string, unknown>> = {};
  readonly #scratch: TemporaryDirectory;

  static async unpack(name: FixtureName): Promise<Fixture> {
    const scratch = await makeTemporaryDirectory();
    const archive = join(packageRoot, 'test/compat/fixtures', `${name}.tar.xz`);
    const { code, stderr } = await runProgram('tar', ['--no-same-owner', '-C', scratch.path, '-xJf', archive]);
    assert.equal(code, 0, stderr);
    const text = await readFile(join(scratch.path, name, 'expected.json'), 'utf8');
    return new Fixture(name, JSON.parse(text) as FixtureExpectations, scratch);
  }

  private constructor(name: FixtureName, expected: FixtureExpectations, scratch: TemporaryDirectory) {
    this.name = name;
    this.expected = expected;
    this.#scratch = scratch;
  }

  /** Where its `pghoard.json` and `storage` are. */
  get directory(): string {
    return join(this.#scratch.path, this.name);
  }

  get storeDirectory(): string {
    return join(this.directory, 'storage');
  }

  /** A path for a directory that is not there yet. */
  place(name: string): string {
    return join(this.#scratch.path, name);
  }

  /** The configuration of the original, word for word but for its places and `siteChange`. */
  async config(dataDirectory = this.place('data')): Promise<FixtureConfig> {
    const text = await readFile(join(this.directory, 'pghoard.json'), 'utf8');
    const config = JSON.parse(text.replaceAll('@DIR@', this.directory).replaceAll('@PGDATA@', dataDirectory)) as FixtureConfig;
    const { site } = this.expected;
    const changed = { ...config.backup_sites[site], ...this.siteChange } as FixtureSite;
    return { ...config, backup_sites: { ...config.backup_sites, [site]: changed } };
  }

  /** Our daemon with that configuration, at a port of its own. */
  async daemon(change = (config: FixtureConfig) => config): Promise<TestDaemon> {
    const daemon = await TestDaemon.prepare({ directory: this.place('daemon') });
    const config = { restore_process_count: 2, ...change(await this.config()), http_port: daemon.port, alert_file_dir: daemon.directory };
    await writeFile(daemon.configFile, JSON.stringify(config, undefined, 2));
    await daemon.launch();
    return daemon;
  }

  /** A directory that PostgreSQL may write to, for a tablespace. */
  async tablespace(name: string): Promise<string> {
    const directory = this.place(name);
    await mkdir(directory);
    await chmod(directory, 0o700);
    return directory;
  }

  /** Compares the tables with what they held when the state was reached. */
  async expectState(server: TestPostgres, stateName: string): Promise<void> {
    const state = this.state(stateName);
    const digests = await Promise.all(this.expected.tables.map((table) => this.#digestOf(server, table)));
    const tables = [`${state.rows}|${state.md5}`, `${state.ts_rows}|${state.ts_md5}`].slice(0, digests.length);
    assert.deepEqual(digests, tables, `${this.name} ${stateName}`);
  }

  state(name: string): FixtureState {
    const state = this.expected.states.find((candidate) => candidate.name === name);
    assert(state, `${this.name} has a state ${name}`);
    return state;
  }

  /** The name of the newest base backup that the state can be reached from; for `at_first_backup` and so on, that base backup. */
  basebackupOf(stateName: string): string {
    const names = Object.keys(this.expected.basebackups).toSorted();
    const name = stateName === 'at_first_backup' ? names[0] : (this.state(stateName).from_basebackups ?? names).at(-1);
    assert(name, `${this.name} has a base backup for ${stateName}`);
    return name;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#scratch[Symbol.asyncDispose]();
  }

  async #digestOf(server: TestPostgres, table: string): Promise<unknown> {
    const [row] = await server.query(this.expected.checksum_sql.replace('<table>', table));
    return Object.values(row ?? {})[0];
  }
}
