import assert from 'node:assert/strict';
import { chmod, chown, lstat, mkdir, readdir, readFile, readlink, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Catalog } from '../../src/catalog/catalog.ts';
import { endRestores } from '../support/end-restores.ts';
import { systemUser, type TestPostgres } from '../support/postgres.ts';
import { tableChecksums } from '../support/table-checksums.ts';
import { TestSite } from '../support/test-site.ts';
import { waitFor } from '../support/wait-for.ts';

const deltaSite = {
  basebackup_mode: 'delta',
  basebackup_delta_mode_min_delta_file_size: 65_536,
  basebackup_delta_mode_chunk_size: 1_000_000,
};

/** What the original would lose, or write to the wrong place: path below PGDATA, mode. */
const oddFiles: readonly [path: string, mode: number, content: string | Buffer][] = [
  ['certificates/server.key', 0o600, 'secret'],
  ['certificates/öffentlich "x".crt', 0o644, Buffer.alloc(200_000, 'crt ')],
  ['certificates/two\nlines', 0o600, Buffer.alloc(70_000, 'l')],
  ['pgdata/inner', 0o600, Buffer.alloc(1000, 'i')],
  ['tablespaces/inner', 0o640, ''],
  ['empty', 0o600, ''],
];
const oldTime = new Date('2020-02-03T04:05:06Z');

async function addOddFiles({ dataDirectory }: TestPostgres): Promise<void> {
  const { uid, gid } = systemUser();
  for (const [path, mode, content] of oddFiles) {
    const file = join(dataDirectory, path);
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    await chown(dirname(file), uid, gid);
    await writeFile(file, content);
    await chmod(file, mode);
    await chown(file, uid, gid);
    await utimes(file, oldTime, oldTime);
  }
  await chmod(join(dataDirectory, 'certificates'), 0o750);
  await symlink('certificates/server.key', join(dataDirectory, 'key link'));
}

async function assertOddFiles(dataDirectory: string): Promise<void> {
  for (const [path, mode, content] of oddFiles) {
    const file = join(dataDirectory, path);
    assert.deepEqual(await readFile(file), Buffer.from(content), path);
    const stats = await stat(file);
    assert.equal(stats.mode & 0o7777, mode, `${path}: mode`);
    assert.deepEqual({ uid: stats.uid, gid: stats.gid }, systemUser(), `${path}: owner`);
    assert.equal(Math.floor(stats.mtimeMs / 1000), oldTime.getTime() / 1000, `${path}: time`);
  }
  assert.equal((await stat(join(dataDirectory, 'certificates'))).mode & 0o7777, 0o750);
  assert.equal(await readlink(join(dataDirectory, 'key link')), 'certificates/server.key');
}

/** Everything but the odd files has the mode and owner that PostgreSQL gave it. */
async function assertOrdinaryAttributes(dataDirectory: string): Promise<void> {
  const { uid } = systemUser();
  for (const path of await readdir(dataDirectory, { recursive: true })) {
    const stats = await lstat(join(dataDirectory, path));
    if (stats.isSymbolicLink() || /^(certificates|pgdata|tablespaces)/.test(path)) continue;
    assert.equal(stats.uid, uid, path);
    assert.equal(stats.mode & 0o7777, stats.isDirectory() ? 0o700 : 0o600, path);
  }
}

async function keysOf({ store, keys }: Catalog, kind: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { key } of store.list(`${keys.prefix}/${kind}/`)) found.push(key);
  return found;
}

describe('mode delta, encrypted, on a host that has only the public key', () => {
  let site: TestSite;
  let catalog: Catalog;
  let encryption_keys: unknown;
  const names: string[] = [];
  let checksums: Record<string, string>;
  let filesOfFirst: string[];
  let tablespace: string;

  before(async () => {
    site = await TestSite.start({ encrypted: true, site: deltaSite });
    encryption_keys = (await site.daemon.siteConfig())['encryption_keys'];
    const { key } = encryption_keys as { key: { public: string } };
    await site.daemon.reconfigure({ site: { encryption_keys: { key: { public: key.public } } } });
    catalog = await site.daemon.catalog();
    await addOddFiles(site.postgres);
    tablespace = await ownedDirectory(site.place('source of fast'));
    await site.postgres.query(`CREATE TABLESPACE fast LOCATION '${tablespace}'`);
    await site.postgres.query('CREATE TABLE quick TABLESPACE fast AS SELECT i FROM generate_series(1, 20000) AS i');
    await site.postgres.query(`CREATE TABLE kept AS SELECT i, md5(i::text) AS word FROM generate_series(1, 50000) AS i`);
    await site.postgres.query(`CREATE TABLE changed AS SELECT i, md5(i::text) AS word FROM generate_series(1, 20000) AS i`);
    names.push(await site.basebackup());
    filesOfFirst = await keysOf(catalog, 'basebackup_delta');
    await site.postgres.query(`UPDATE changed SET word = word || 'x'`);
    await site.postgres.query('INSERT INTO quick SELECT i FROM generate_series(1, 100) AS i');
    names.push(await site.basebackup());
    await site.postgres.query(`INSERT INTO kept SELECT i, 'after both' FROM generate_series(1, 100) AS i`);
    await site.archiveAll();
    checksums = await tableChecksums(site.postgres);
    await site.daemon.reconfigure({ site: { encryption_keys } });
  });
  after(() => site?.[Symbol.asyncDispose]());

  /** Recovers to the end of the archive. */
  const assertRecovers = async (name: string, place: string) => {
    const mapped = await ownedDirectory(site.place(`fast of ${place}`));
    const flags = ['--basebackup', name, '--tablespace-dir', `fast=${mapped}`];
    await site.daemon.restore(site.place(place), ['--restore-to-primary', ...flags]);
    await assertOddFiles(site.place(place));
    await assertOrdinaryAttributes(site.place(place));
    await using server = await site.startOn(site.place(place));
    await server.promoted();
    assert.deepEqual(await tableChecksums(server), checksums);
  };

  test('the second backup stores only what changed', async () => {
    const all = await keysOf(catalog, 'basebackup_delta');
    assert.ok(filesOfFirst.length > 8, `${filesOfFirst.length} files`);
    assert.ok(all.length > filesOfFirst.length && all.length < filesOfFirst.length * 1.7, `${filesOfFirst.length}, then ${all.length}`);
    const { entries } = await catalog.basebackups();
    assert.deepEqual(
      entries.map(({ format }) => format),
      ['pghoard-delta-v2', 'pghoard-delta-v2'],
    );
    assert.ok(entries.every(({ plainSize, storedSize }) => (plainSize ?? 0) > 10_000_000 && storedSize > 1_000_000));
  });

  test('the first is restored with its tablespace, modes, owners and times, and recovers', async () => {
    await assertRecovers(names[0] as string, 'first');
  });

  test('deleting the first without the private key keeps what the second needs, and nothing else; the second recovers', async () => {
    const { key } = encryption_keys as { key: { public: string } };
    await endRestores(catalog);
    await site.daemon.reconfigure({ site: { encryption_keys: { key: { public: key.public } }, basebackup_count: 1 } });
    const index = await readIndex(catalog, names[1] as string);
    await waitFor(async () => (await keysOf(catalog, 'basebackup_delta')).length === index.length, {
      withinMs: 30_000,
      what: () => `the first backup is deleted:\n${site.daemon.log}`,
    });
    assert.deepEqual(
      await keysOf(catalog, 'basebackup_delta'),
      index.map((digest) => catalog.keys.deltaFile(digest)),
    );
    assert.deepEqual(await keysOf(catalog, 'basebackup_delta_index'), [catalog.keys.deltaIndex(names[1] as string)]);
    assert.equal(
      (await keysOf(catalog, 'basebackup_delta_chunk')).some((name) => name.includes(names[0] as string)),
      false,
    );
    await site.daemon.reconfigure({ site: { encryption_keys } });
    await assertRecovers(names[1] as string, 'second');
  });
});

async function readIndex({ store, keys }: Catalog, name: string): Promise<string[]> {
  const { bytes } = await store.get(keys.deltaIndex(name));
  const pieces: Uint8Array[] = [];
  for await (const piece of bytes) pieces.push(piece);
  return Buffer.concat(pieces).toString().trimEnd().split('\n').toSorted();
}

async function ownedDirectory(path: string): Promise<string> {
  const { uid, gid } = systemUser();
  await mkdir(path);
  await chown(path, uid, gid);
  return path;
}
