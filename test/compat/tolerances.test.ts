import assert from 'node:assert/strict';
import { glob, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { Catalog } from '../../src/catalog/catalog.ts';
import { SiteKeys } from '../../src/catalog/keys.ts';
import { openStore } from '../../src/storage/drivers.ts';
import type { Metadata } from '../../src/storage/object-store.ts';
import { runOurs } from '../support/commands.ts';
import { TestPostgres } from '../support/postgres.ts';
import { Fixture, type FixtureConfig, type FixtureSite, fixtureNames } from './fixture.ts';

/** What other stores and versions make of the same metadata. */
const disguises: Readonly<Record<string, (metadata: Metadata) => Metadata>> = {
  'names in lower case, as Swift and S3 give them': (metadata) => renamed(metadata, (key) => key.toLowerCase()),
  'names in capitals': (metadata) => renamed(metadata, (key) => key.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase())),
  'moments as Python prints them': (metadata) =>
    withTimes(metadata, (date) => date.toISOString().replace('T', ' ').replace('Z', '000+00:00')),
  'moments in another zone': (metadata) =>
    withTimes(metadata, (date) => new Date(date.getTime() - 9_000_000).toISOString().replace('Z', '-02:30')),
  'only what somebody reads': (metadata) => Object.fromEntries(Object.entries(metadata).filter(([key]) => mandatory.test(key))),
};
const mandatory =
  /^(start-time|start-wal-segment|compression-algorithm|encryption-key-id|pg-version|original-file-size|format|end-.*|total-size.*|tablespace.*)$/;

function renamed(metadata: Metadata, newName: (key: string) => string): Metadata {
  return Object.fromEntries(Object.entries(metadata).map(([key, value]) => [key.startsWith('_') ? key : newName(key), value]));
}

function withTimes(metadata: Metadata, print: (date: Date) => string): Metadata {
  return Object.fromEntries(Object.entries(metadata).map(([key, value]) => [key, key.endsWith('-time') ? print(new Date(value)) : value]));
}

async function disguise(fixture: Fixture, change: (metadata: Metadata) => Metadata): Promise<void> {
  for await (const path of glob(join(fixture.storeDirectory, '**/*.metadata'))) {
    await writeFile(path, JSON.stringify(change(JSON.parse(await readFile(path, 'utf8')) as Metadata)));
  }
}

async function listedBy(fixture: Fixture): Promise<unknown> {
  const store = await openStore({ storage_type: 'local', directory: fixture.storeDirectory } as never);
  const { entries, unreadable } = await new Catalog(store, new SiteKeys(fixture.expected.prefix)).basebackups();
  assert.deepEqual(unreadable, []);
  return entries.map((entry) => ({ ...entry, metadata: undefined, digest: undefined, lastModified: undefined }));
}

for (const [what, change] of Object.entries(disguises)) {
  test(`base backups of all versions are the same with ${what}`, async () => {
    for (const name of fixtureNames) {
      await using fixture = await Fixture.unpack(name);
      const before = await listedBy(fixture);
      await disguise(fixture, change);
      assert.deepEqual(await listedBy(fixture), before, name);
    }
  });
}

/** Changes the fixture's only site. */
function changingSite(change: (site: FixtureSite) => Record<string, unknown>): (config: FixtureConfig) => FixtureConfig {
  return (config) => {
    const [[name, site] = assert.fail()] = Object.entries(config.backup_sites);
    return { ...config, backup_sites: { [name]: change(site) as FixtureSite } };
  };
}

async function restored(fixture: Fixture, configFile: string, site: string, flags: readonly string[] = []): Promise<TestPostgres> {
  const directory = fixture.place('restored');
  const where = ['--config', configFile, '--site', site, '--target-dir', directory, '--restore-to-primary', ...flags];
  const { code, stdout, stderr } = await runOurs('restore', ['get-basebackup', ...where]);
  assert.equal(code, 0, stdout + stderr);
  return TestPostgres.startOn(directory, { archive_mode: 'off', fsync: 'off' });
}

async function moveStore(fixture: Fixture, to: string): Promise<void> {
  const moved = join(fixture.directory, 'moved', to);
  await mkdir(dirname(moved), { recursive: true });
  await rename(fixture.storeDirectory, moved);
  await rename(join(fixture.directory, 'moved'), fixture.storeDirectory);
}

test('a store below a prefix of its own, its metadata in capitals and without the optional ones', async () => {
  await using fixture = await Fixture.unpack('c-zstd-localtar-enc-tablespace');
  await disguise(fixture, (metadata) => disguises['names in capitals']?.(disguises['only what somebody reads']?.(metadata) ?? {}) ?? {});
  await moveStore(fixture, 'deep/down');
  const inside = changingSite((site) => ({ ...site, object_storage: { ...site.object_storage, prefix: '/deep/down' } }));
  await using daemon = await fixture.daemon(inside);
  const tablespace = await fixture.tablespace('elsewhere');
  const name = '2026-11-22_23-42_0';
  const flags = ['--basebackup', name, '--tablespace-dir', `ts_fixture=${tablespace}`];
  await using server = await restored(fixture, daemon.configFile, fixture.expected.site, flags);
  await server.promoted();
  await fixture.expectState(server, 'latest');
});

test('path_prefix, for sites that have no prefix, and a name without minutes', async () => {
  await using fixture = await Fixture.unpack('g-pghoard14-pipe-snappy-enc');
  await moveStore(fixture, 'old/place');
  await using daemon = await fixture.daemon((config) => ({ ...config, path_prefix: 'old/place' }));
  await using server = await restored(fixture, daemon.configFile, fixture.expected.site, ['--basebackup', '2026-11-23_0']);
  await server.promoted();
  await fixture.expectState(server, 'latest');
  assert.equal(daemon.log.split('path_prefix is deprecated').length - 1, 1, 'said once');
});

test('a site lists, restores and recovers what the sites that it was moved from have, with their keys', async () => {
  await using fixture = await Fixture.unpack('b-lzma-basic-enc');
  const { site } = fixture.expected;
  const storage = { storage_type: 'local' as const, directory: fixture.place('new-storage') };
  const moved = { active: false, nodes: [], object_storage: storage, moved_from: [site] };
  await using daemon = await fixture.daemon((config) => ({ ...config, backup_sites: { ...config.backup_sites, moved } }));
  const list = await runOurs('restore', ['list-basebackups', '--config', daemon.configFile, '--site', 'moved']);
  assert.match(list.stdout, /^fx_b\/basebackup\/2026-11-22_23-41_0 /m);
  const answer = (await (await daemon.request('GET', '/moved/basebackup')).json()) as { basebackups: { name: string }[] };
  assert.deepEqual(
    answer.basebackups.map(({ name }) => name),
    ['fx_b/basebackup/2026-11-22_23-41_0'],
  );
  await using server = await restored(fixture, daemon.configFile, 'moved');
  await server.promoted();
  await fixture.expectState(server, 'latest');
});
