import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Fault, FaultyStore } from '../../test/support/store.ts';
import { OperatorError } from '../lib/errors.ts';
import { LocalStore } from '../storage/local/driver.ts';
import { MemoryStore } from '../storage/memory/driver.ts';
import { sourceOfBytes } from '../storage/object-source.ts';
import type { Metadata } from '../storage/object-store.ts';
import { Catalog } from './catalog.ts';
import { SiteKeys } from './keys.ts';

const keys = new SiteKeys('site');

function startedAt(time: string): Metadata {
  return { 'start-time': time, 'start-wal-segment': '000000010000000000000003', 'compression-algorithm': 'snappy' };
}

class TestSite {
  readonly memory = new MemoryStore();
  readonly store = new FaultyStore(this.memory);
  readonly catalog = new Catalog(this.store, keys);

  async add(key: string, metadata: Metadata = {}): Promise<void> {
    await this.memory.put(key, sourceOfBytes(Buffer.from('x')), { metadata });
  }
  async addChunked(name: string, time: string, chunks = 3): Promise<void> {
    await this.add(keys.basebackupMain(name), { ...startedAt(time), format: 'pghoard-bb-v2' });
    await this.addChunks(name, chunks);
  }
  async addChunks(name: string, chunks = 3): Promise<void> {
    for (let number = 1; number <= chunks; number++) await this.add(keys.chunk(name, number));
  }
  async keys(): Promise<string[]> {
    const found: string[] = [];
    for await (const { key } of this.memory.list('')) found.push(key);
    return found;
  }
  async orphans(running: readonly string[] = [], untouchedSince?: Date): Promise<string[]> {
    const found: string[] = [];
    for await (const name of this.catalog.orphanChunks({ running: new Set(running), untouchedSince })) found.push(name);
    return found;
  }
}

test('backups come in the order they were started, whatever their names and offsets', async () => {
  const site = new TestSite();
  await site.add(keys.basebackup('a'), startedAt('2026-11-22T23:00:00-05:00'));
  await site.add(keys.basebackup('b'), startedAt('2026-11-22T23:30:00+00:00'));
  await site.addChunked('c', '2026-11-22 22:00:00.5+00:00');
  const { entries, unreadable } = await site.catalog.basebackups();
  assert.deepEqual(
    entries.map(({ name }) => name),
    ['c', 'b', 'a'],
  );
  assert.deepEqual(unreadable, []);
});

test('junk among the backups is told of and hides nothing', async () => {
  const site = new TestSite();
  await site.addChunked('good', '2026-11-22T23:00:00+00:00');
  await site.add(keys.basebackup('junk'), { what: 'ever' });
  await site.add(keys.basebackup('damaged'), startedAt('2026-11-22T23:00:00+00:00'));
  await site.add(`${keys.basebackupPrefix}some/folder/file`, startedAt('2026-11-22T23:00:00+00:00'));
  await site.add('site/basebackup_segments/x', startedAt('2026-11-22T23:00:00+00:00'));
  site.store.inject({ operation: 'head', key: /damaged/, how: 'refuse', error: new OperatorError('store-failed', 'garbage') });
  const { entries, unreadable } = await site.catalog.basebackups();
  assert.deepEqual(
    entries.map(({ name }) => name),
    ['good'],
  );
  assert.deepEqual(
    unreadable.map(({ key }) => key),
    ['site/basebackup/damaged', 'site/basebackup/junk'],
  );
  assert.match(unreadable[1]?.why ?? '', /start-time/);
});

test('a store that cannot be reached is an error, not an empty or short list', async () => {
  const faults: readonly Fault[] = [
    { operation: 'list', how: 'refuse' },
    { operation: 'list', how: 'cut', after: 1 },
    { operation: 'head', call: 2, how: 'refuse' },
  ];
  for (const fault of faults) {
    const site = new TestSite();
    await site.addChunked('one', '2026-11-22T23:00:00+00:00');
    await site.addChunked('two', '2026-11-22T23:00:00+00:00');
    site.store.inject(fault);
    await assert.rejects(site.catalog.basebackups(), { code: 'store-unreachable' });
  }
});

test('a backup that goes away while it is listed is simply not there', async () => {
  const site = new TestSite();
  await site.addChunked('one', '2026-11-22T23:00:00+00:00');
  site.store.inject({ operation: 'head', how: 'refuse', error: new OperatorError('object-missing', 'gone') });
  assert.deepEqual(await site.catalog.basebackups(), { entries: [], unreadable: [] });
});

test('a backup by its name, with or without suffix, of either shape', async () => {
  const site = new TestSite();
  await site.addChunked('chunked', '2026-11-22T23:00:00+00:00');
  await site.add(keys.basebackup('single'), startedAt('2026-11-22T23:00:00+00:00'));
  assert.equal((await site.catalog.basebackup('chunked')).key, keys.basebackupMain('chunked'));
  assert.equal((await site.catalog.basebackup('chunked.00000000.pghoard')).key, keys.basebackupMain('chunked'));
  assert.equal((await site.catalog.basebackup('single')).key, keys.basebackup('single'));
  await assert.rejects(site.catalog.basebackup('none'), { code: 'basebackup-missing', message: /none/ });
});

test('WAL that is not there is told from a store that cannot say', async () => {
  const site = new TestSite();
  const segment = '0000000100000000000000AB';
  assert.equal(await site.catalog.findWal(segment), undefined);
  await site.add(keys.wal(segment));
  await site.add(keys.history('00000002.history'));
  await site.add(keys.walPartial(`${segment}.partial`));
  for (const name of [segment, '00000002.history', `${segment}.partial`]) assert.equal((await site.catalog.findWal(name))?.size, 1, name);
  site.store.inject({ operation: 'head', how: 'refuse' });
  await assert.rejects(site.catalog.findWal(segment), { code: 'store-unreachable' });
});

test('names that are no WAL are refused before the store is asked', async () => {
  const site = new TestSite();
  for (const name of ['../../etc/passwd', '', 'x', '0000000100000000000000ab', '000000010000000000000001.00000028.backup']) {
    await assert.rejects(site.catalog.findWal(name), { code: 'wal-name-invalid' }, name);
  }
  assert.equal(site.store.calls.length, 0);
});

test('a name is taken as soon as anything has it', async () => {
  const site = new TestSite();
  await site.add(keys.basebackupMain('main'));
  await site.add(keys.basebackup('single'));
  await site.addChunks('chunks-10');
  for (const [name, taken] of [
    ['main', true],
    ['single', true],
    ['chunks-10', true],
    ['chunks-1', false],
    ['free', false],
  ] as const) {
    assert.equal(await site.catalog.basebackupNameTaken(name), taken, name);
  }
});

test('a backup is forgotten with its chunks, main object first, and nothing else goes', async () => {
  const site = new TestSite();
  await site.addChunked('one', '2026-11-22T23:00:00+00:00', 12);
  await site.addChunked('one0', '2026-11-23T23:00:00+00:00', 1);
  await site.add(keys.basebackup('one'), startedAt('2026-11-22T23:00:00+00:00'));
  await site.catalog.forgetBasebackup(await site.catalog.basebackup('one.00000000.pghoard'));
  const deleted = site.store.calls.filter(({ operation }) => operation === 'delete');
  assert.equal(deleted[0]?.key, keys.basebackupMain('one'));
  assert.equal(deleted.length, 13);
  assert.deepEqual(await site.keys(), [keys.basebackup('one'), keys.basebackupMain('one0'), keys.chunk('one0', 1)]);
});

test('a single object goes without touching chunks of the same name', async () => {
  const site = new TestSite();
  await site.add(keys.basebackup('one'), startedAt('2026-11-22T23:00:00+00:00'));
  await site.addChunks('one', 1);
  await site.catalog.forgetBasebackup(await site.catalog.basebackup('one'));
  assert.deepEqual(await site.keys(), [keys.chunk('one', 1)]);
});

test('a delta backup goes with its bundles; what it may share with others stays', async () => {
  const site = new TestSite();
  const file = keys.deltaFile('ab'.repeat(32));
  await site.add(keys.basebackupMain('delta'), { ...startedAt('2026-11-22T23:00:00+00:00'), format: 'pghoard-delta-v2' });
  for (const key of [file, keys.deltaChunkFile('delta/delta.00000001.pghoard'), keys.deltaIndex('delta')]) await site.add(key);
  const backup = await site.catalog.basebackup('delta');
  site.store.inject({ operation: 'delete', key: /delta_chunk/, how: 'refuse' });
  await assert.rejects(site.catalog.forgetBasebackup(backup), { retryable: true });
  assert.deepEqual(await site.orphans(), ['delta'], 'bundles without a main object are found again');
  site.store.heal();
  await site.catalog.forgetBasebackup(backup);
  assert.deepEqual(await site.keys(), [file, keys.deltaIndex('delta')]);
  assert.equal(await site.catalog.basebackupNameTaken('delta'), true, 'until its index is gone too');
});

test('a deletion interrupted anywhere is found again and can be finished', async () => {
  for (let call = 1; call <= 4; call++) {
    const site = new TestSite();
    await site.addChunked('one', '2026-11-22T23:00:00+00:00');
    const backup = await site.catalog.basebackup('one');
    site.store.inject({ operation: 'delete', call, how: 'refuse' });
    await assert.rejects(site.catalog.forgetBasebackup(backup), { retryable: true });
    site.store.heal();
    const isVisible = (await site.catalog.basebackups()).entries.length === 1;
    assert.equal(isVisible, call === 1);
    assert.deepEqual(await site.orphans(), isVisible ? [] : ['one']);
    if (isVisible) await site.catalog.forgetBasebackup(backup);
    else await site.catalog.removeChunks('one');
    assert.deepEqual(await site.keys(), []);
  }
});

test('orphans: not those whose main object exists, nor those being taken here, nor those somebody else touches', async () => {
  const site = new TestSite();
  await site.addChunked('2026-11-20_10-00_0', '2026-11-20T10:00:00+00:00', 9);
  await site.addChunks('2026-11-21_10-00_0', 9);
  await site.addChunks('2026-11-22_10-00_0', 9);
  await site.addChunks('2026-11-22_10-00_01', 1);
  await site.add(`${keys.chunksPrefix}stray-file`);
  assert.deepEqual(await site.orphans(), ['2026-11-21_10-00_0', '2026-11-22_10-00_0', '2026-11-22_10-00_01']);
  assert.deepEqual(await site.orphans(['2026-11-22_10-00_0', '2026-11-22_10-00_01']), ['2026-11-21_10-00_0']);
  assert.deepEqual(await site.orphans([], new Date(0)), []);
  assert.equal((await site.orphans([], new Date(Date.now() + 60_000))).length, 3);
});

test('orphans: a store that cannot say whether the main object exists makes no orphan', async () => {
  const site = new TestSite();
  await site.addChunked('one', '2026-11-22T23:00:00+00:00');
  site.store.inject({ operation: 'head', how: 'refuse' });
  await assert.rejects(site.orphans(), { code: 'store-unreachable' });
});

test('a base backup whose main object lost its metadata is named as unreadable, and keeps its chunks', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'pghoard-catalog-'));
  t.after(() => rm(directory, { recursive: true }));
  const catalog = new Catalog(new LocalStore({ directory }), keys);
  const name = '2026-11-22_10-00_0';
  for (const key of [keys.basebackupMain(name), keys.chunk(name, 1), keys.chunk('2026-11-23_10-00_0', 1)]) {
    await catalog.store.put(key, sourceOfBytes(Buffer.from('x')), { metadata: startedAt('2026-11-22T10:00:00+00:00') });
  }
  await rm(join(directory, `${keys.basebackupMain(name)}.metadata`));
  await writeFile(join(directory, keys.basebackupPrefix, 'README'), 'no backup');
  const { entries, unreadable } = await catalog.basebackups();
  assert.deepEqual([entries, unreadable.map(({ key }) => key)], [[], [keys.basebackupMain(name)]]);
  assert.match(unreadable[0]?.why ?? '', /metadata file .* is missing/);
  const orphans: string[] = [];
  for await (const orphan of catalog.orphanChunks({ running: new Set() })) orphans.push(orphan);
  assert.deepEqual(orphans, ['2026-11-23_10-00_0']);
});
