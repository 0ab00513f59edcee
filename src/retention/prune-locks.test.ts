import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FaultyStore } from '../../test/support/store.ts';
import { makeStoredSite, storedKeys } from '../../test/support/stored-site.ts';
import type { Catalog } from '../catalog/catalog.ts';
import { silentLog } from '../lib/log.ts';
import { ObjectLockedError } from '../storage/delete-many.ts';
import { MemoryStore } from '../storage/memory/driver.ts';
import { prune } from './prune.ts';

const now = new Date('2026-11-23T12:00:00Z');
const rules = { countMax: 1, ageDaysMax: undefined, countMin: 0, intervalHours: 24 };
const signal = new AbortController().signal;
const until = new Date('2026-12-24T00:00:00Z');

async function site(lockedKeys: RegExp): Promise<{ catalog: Catalog; store: FaultyStore }> {
  const store = new FaultyStore(new MemoryStore());
  const backups = {
    '2026-11-20_0': '000000010000000000000002',
    '2026-11-21_0': '000000010000000000000005',
    '2026-11-22_0': '000000010000000000000008',
  };
  const segments = ['1', '3', '4', '6', '8'].map((digit) => `00000001000000000000000${digit}`);
  const catalog = await makeStoredSite(backups, segments, store);
  store.inject({ operation: 'delete', key: lockedKeys, how: 'refuse', error: new ObjectLockedError('it', 'faulty memory', until) });
  return { catalog, store };
}

const pruneNow = async (catalog: Catalog, when = now) =>
  prune(await catalog.basebackups(), rules, when, { catalog, log: silentLog, signal });

test('a base backup that a lock keeps stays whole with its WAL, the others go, and it is told until when', async () => {
  const { catalog, store } = await site(/basebackup\/2026-11-21_0/);
  const { locked, ...done } = await pruneNow(catalog);
  assert.deepEqual(done, { basebackups: ['2026-11-20_0'], walFiles: 3 });
  assert.match(locked ?? '', /2026-11-21_0 until 2026-12-24T00:00:00.000Z/);
  assert.deepEqual(await storedKeys(catalog), [
    'basebackup/2026-11-21_0.00000000.pghoard',
    'basebackup/2026-11-22_0.00000000.pghoard',
    'basebackup_chunk/2026-11-21_0/2026-11-21_0.00000001.pghoard',
    'basebackup_chunk/2026-11-22_0/2026-11-22_0.00000001.pghoard',
    'xlog/000000010000000000000006',
    'xlog/000000010000000000000008',
  ]);
  store.heal();
  assert.deepEqual(await pruneNow(catalog), { basebackups: ['2026-11-21_0'], walFiles: 1 });
});

test('a pass in which nothing but the locks is left finds the same, so that it is told once', async () => {
  const { catalog } = await site(/basebackup\/2026-11-2[01]_0/);
  const first = await pruneNow(catalog);
  const second = await pruneNow(catalog);
  assert.deepEqual([first.basebackups, second.basebackups], [[], []]);
  assert.equal(first.locked, second.locked);
  assert.match(first.locked ?? '', /2026-11-20_0.*2026-11-21_0/);
});

test('WAL and chunks that locks keep do not hold up the rest', async () => {
  const { catalog, store } = await site(/xlog\/0*10*3$|basebackup_chunk\/2026-11-20_0/);
  const { locked, ...done } = await pruneNow(catalog);
  assert.deepEqual(done, { basebackups: ['2026-11-20_0', '2026-11-21_0'], walFiles: 3 });
  assert.match(locked ?? '', /2 other objects until 2026-12-24/);
  const left = (await storedKeys(catalog)).filter((key) => !key.includes('2026-11-22'));
  assert.deepEqual(left, [
    'basebackup_chunk/2026-11-20_0/2026-11-20_0.00000001.pghoard',
    'xlog/000000010000000000000003',
    'xlog/000000010000000000000008',
  ]);
  store.heal();
  const aWeekLater = new Date(
    (await catalog.store.head(catalog.keys.basebackupMain('2026-11-22_0'))).lastModified.getTime() + 8 * 86_400_000,
  );
  assert.deepEqual(await pruneNow(catalog, aWeekLater), { basebackups: [], walFiles: 1 });
});

test('a store that fails in another way than by a lock stops the pass', async () => {
  const { catalog, store } = await site(/nothing/);
  store.inject({ operation: 'delete', key: /2026-11-20_0/, how: 'refuse' });
  await assert.rejects(pruneNow(catalog), { code: 'store-unreachable' });
});
