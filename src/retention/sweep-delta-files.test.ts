import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, test } from 'node:test';
import { type Fault, FaultyStore } from '../../test/support/store.ts';
import { makeStoredSite, storedKeys, walElsewhere } from '../../test/support/stored-site.ts';
import { makeTemporaryDirectory } from '../../test/support/temporary-directory.ts';
import { TestBackups } from '../../test/support/test-backups.ts';
import type { Catalog } from '../catalog/catalog.ts';
import { deltaIndexMetadata, deltaIndexText } from '../catalog/delta-files.ts';
import { createKeyPair } from '../codec/keys.ts';
import { CodecPool } from '../codec/pool.ts';
import { silentLog } from '../lib/log.ts';
import { MemoryStore } from '../storage/memory/driver.ts';
import { sourceOfBytes } from '../storage/object-source.ts';
import type { RetentionRules } from './decide.ts';
import type { ManifestAccess } from './delta-references.ts';
import { prune } from './prune.ts';

const signal = new AbortController().signal;
const dayMs = 86_400_000;
const keepOne: RetentionRules = { countMax: 1, ageDaysMax: undefined, countMin: 0, intervalHours: 24 };
const keepAll: RetentionRules = { ...keepOne, countMax: undefined };
const digest = (name: string) => createHash('blake2s256').update(name).digest('hex');

let pool: CodecPool;
let keys: { publicKey: string; privateKey: string };
before(async () => {
  pool = new CodecPool(1);
  keys = await createKeyPair(1024);
});
after(() => pool.close());

async function put({ store }: Catalog, key: string, content: string, metadata = {}): Promise<void> {
  await store.put(key, sourceOfBytes(Buffer.from(content)), { metadata });
}

/** A delta backup of ours that needs the named files. Without `visible` only its index is there. */
async function addDelta(catalog: Catalog, name: string, files: readonly string[], visible = true): Promise<void> {
  const digests = files.map(digest);
  for (const each of digests) await put(catalog, catalog.keys.deltaFile(each), 'x');
  await put(catalog, catalog.keys.deltaIndex(name), [...deltaIndexText(digests)].join(''), deltaIndexMetadata);
  if (!visible) return;
  await put(catalog, catalog.keys.deltaChunkFile(`${name}/${name}.00000001.pghoard`), 'x');
  const time = `${name.slice(0, 10)}T00:00:00+00:00`;
  const metadata = { 'start-time': time, 'start-wal-segment': '000000010000000000000002', format: 'pghoard-delta-v2', ...walElsewhere };
  await put(catalog, catalog.keys.basebackupMain(name), 'x', metadata);
}

async function pruneAt(catalog: Catalog, rules: RetentionRules, daysLater = 0, manifests?: ManifestAccess): Promise<void> {
  // The store's clock is the real one.
  const now = new Date((await newest(catalog)) + 1000 + daysLater * dayMs);
  await prune(await catalog.basebackups(), rules, now, { catalog, log: silentLog, signal, manifests });
}

async function newest({ store }: Catalog): Promise<number> {
  let latest = 0;
  for await (const { lastModified } of store.list('')) latest = Math.max(latest, lastModified.getTime());
  return latest;
}

/** The names of the files that are left, of those in question. */
async function filesLeft(catalog: Catalog, names: string): Promise<string> {
  const left = await storedKeys(catalog);
  return names
    .split('')
    .filter((name) => left.includes(`basebackup_delta/${digest(name)}`))
    .join('');
}

test('files that only the deleted backup needed go, shared ones stay, with backups of other formats around', async () => {
  const catalog = await makeStoredSite({ '2026-11-21_0': '000000010000000000000002' }, []);
  await addDelta(catalog, '2026-11-20_0', ['a', 'b']);
  await addDelta(catalog, '2026-11-22_0', ['b', 'c']);
  await pruneAt(catalog, keepOne);
  assert.deepEqual(await storedKeys(catalog), [
    'basebackup/2026-11-22_0.00000000.pghoard',
    ...[digest('b'), digest('c')].toSorted().map((each) => `basebackup_delta/${each}`),
    'basebackup_delta_chunk/2026-11-22_0/2026-11-22_0.00000001.pghoard',
    'basebackup_delta_index/2026-11-22_0',
  ]);
});

test('when the last delta backup of a site goes, all its files do', async () => {
  const catalog = await makeStoredSite({ '2026-11-21_0': '000000010000000000000002' }, []);
  await addDelta(catalog, '2026-11-20_0', ['a']);
  await pruneAt(catalog, keepOne);
  assert.equal(
    (await storedKeys(catalog)).some((key) => key.includes('delta')),
    false,
  );
});

test('files that nobody names may belong to a backup that is being taken: they stay for a week', async () => {
  const catalog = await makeStoredSite({}, []);
  await addDelta(catalog, '2026-11-20_0', ['a']);
  await put(catalog, catalog.keys.deltaFile(digest('u')), 'x');
  await pruneAt(catalog, keepAll, 6.9);
  assert.equal(await filesLeft(catalog, 'au'), 'au');
  await pruneAt(catalog, keepAll, 7.1);
  assert.equal(await filesLeft(catalog, 'au'), 'a');
});

test('the index of a backup that is about to be complete protects old files; an hour later it is what a deletion has left', async () => {
  const catalog = await makeStoredSite({}, []);
  await addDelta(catalog, '2026-11-20_0', ['a', 'b']);
  await addDelta(catalog, '2026-11-21_0', ['b']);
  await addDelta(catalog, '2026-11-22_0', ['a'], false);
  await pruneAt(catalog, keepOne);
  assert.equal(await filesLeft(catalog, 'ab'), 'ab');
  await pruneAt(catalog, keepAll, 0.1);
  assert.equal(await filesLeft(catalog, 'ab'), 'b');
  assert.equal((await storedKeys(catalog)).includes('basebackup_delta_index/2026-11-22_0'), false);
});

const interruptions: readonly Fault[] = [
  { operation: 'delete', key: /delta_chunk/, how: 'refuse' },
  { operation: 'list', key: /basebackup_delta\//, call: 2, how: 'refuse' },
  { operation: 'delete', key: /basebackup_delta\//, call: 2, how: 'refuse' },
  { operation: 'delete', key: /delta_index/, how: 'refuse' },
];
for (const fault of interruptions) {
  test(`a deletion interrupted at ${fault.operation} ${fault.key?.source} is finished later`, async () => {
    const store = new FaultyStore(new MemoryStore());
    const catalog = await makeStoredSite({}, [], store);
    await addDelta(catalog, '2026-11-20_0', ['a', 'b', 'c']);
    await addDelta(catalog, '2026-11-21_0', ['c', 'd']);
    store.inject(fault);
    await assert.rejects(pruneAt(catalog, keepOne), { code: 'store-unreachable' });
    assert.deepEqual(
      (await catalog.basebackups()).entries.map(({ name }) => name),
      ['2026-11-21_0'],
      'it is not visible any more',
    );
    store.heal();
    await pruneAt(catalog, keepOne, 0.1);
    assert.equal(await filesLeft(catalog, 'abcd'), 'cd');
    await pruneAt(catalog, keepOne, 8);
    assert.equal(
      (await storedKeys(catalog)).some((key) => key.includes('2026-11-20_0')),
      false,
      'nor anything else of it',
    );
  });
}

test('a damaged index, or something among the backups that is none, keeps every file', async () => {
  for (const damage of [
    (catalog: Catalog) => put(catalog, catalog.keys.deltaIndex('2026-11-21_0'), `${digest('b').slice(1)}\n`),
    (catalog: Catalog) => put(catalog, catalog.keys.deltaIndex('2026-11-21_0'), digest('b').slice(0, 20)),
    (catalog: Catalog) => put(catalog, catalog.keys.basebackup('2026-11-19_0'), 'x'),
    (catalog: Catalog) => put(catalog, catalog.keys.deltaIndex('2026-11-23_0'), 'of a backup being taken\n'),
  ]) {
    const catalog = await makeStoredSite({}, []);
    await addDelta(catalog, '2026-11-20_0', ['a', 'b']);
    await addDelta(catalog, '2026-11-21_0', ['b']);
    await damage(catalog);
    await pruneAt(catalog, keepOne);
    assert.equal(await filesLeft(catalog, 'ab'), 'ab');
    assert.deepEqual(
      (await catalog.basebackups()).entries.map(({ name }) => name),
      ['2026-11-21_0'],
      'the backup itself is deleted',
    );
  }
});

/** As the original writes them: no index, the manifest says which files. */
async function addOriginal(backups: TestBackups, name: string, files: readonly string[], encrypted: boolean): Promise<void> {
  const state = {
    files: [...files.map((file) => ({ relative_path: file, hexdigest: digest(file) })), { relative_path: 'e', content_b64: '' }],
  };
  const content = JSON.stringify({ manifest: { snapshot_result: { state } } });
  for (const file of files) await put(backups.catalog, backups.keys.deltaFile(digest(file)), 'x');
  const sealing = encrypted ? { key: { id: 'main', publicKey: keys.publicKey } } : {};
  await backups.putArchive(backups.keys.basebackupMain(name), [{ path: '.pghoard_tar_metadata.json', content }], sealing, {
    'start-time': `${name.slice(0, 10)}T00:00:00+00:00`,
    'start-wal-segment': '000000010000000000000002',
    format: 'pghoard-delta-v1',
    ...walElsewhere,
  });
}

for (const encrypted of [false, true]) {
  test(`backups of the original, ${encrypted ? 'encrypted' : 'plain'}: their manifests say what they need`, async () => {
    await using scratch = await makeTemporaryDirectory();
    const backups = await TestBackups.open(scratch.path);
    const { catalog, storage } = backups;
    await addOriginal(backups, '2026-11-20_0', ['a', 'b'], encrypted);
    await addOriginal(backups, '2026-11-21_0', ['b', 'c'], encrypted);
    await addDelta(catalog, '2026-11-22_0', ['c', 'd']);
    const keepTwo = { ...keepOne, countMax: 2 };
    if (encrypted) {
      await pruneAt(catalog, keepTwo, 30, { pool, storage, privateKeys: {} });
      assert.equal(await filesLeft(catalog, 'abcd'), 'abcd', 'without the private key nothing is guessed');
      await addOriginal(backups, '2026-11-20_0', ['a', 'b'], encrypted);
    }
    await pruneAt(catalog, keepTwo, 0, { pool, storage, privateKeys: { main: keys.privateKey } });
    assert.equal(await filesLeft(catalog, 'abcd'), 'bcd');
    await pruneAt(catalog, keepOne, 0, { pool, storage, privateKeys: encrypted ? {} : { main: keys.privateKey } });
    assert.equal(await filesLeft(catalog, 'abcd'), encrypted ? 'bcd' : 'cd', 'a deleted one whose manifest cannot be read: later');
    await pruneAt(catalog, keepOne, 8);
    assert.equal(await filesLeft(catalog, 'abcd'), 'cd');
  });
}
