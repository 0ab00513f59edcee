import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Catalog } from '../catalog/catalog.ts';
import { SiteKeys } from '../catalog/keys.ts';
import { cancelPreservation, preservedUntil, requestPreservation } from '../catalog/preservation.ts';
import { silentLog } from '../lib/log.ts';
import { MemoryStore } from '../storage/memory/driver.ts';
import { sourceOfBytes } from '../storage/object-source.ts';
import type { Metadata } from '../storage/object-store.ts';
import type { RetentionRules } from './decide.ts';
import { prune } from './prune.ts';

const now = new Date('2026-11-23T12:00:00Z');
const rules: RetentionRules = { countMax: 2, ageDaysMax: undefined, countMin: 0, intervalHours: 24 };
const signal = new AbortController().signal;

async function siteWith(backups: Readonly<Record<string, string>>, wal: readonly string[]): Promise<Catalog> {
  const catalog = new Catalog(new MemoryStore(), new SiteKeys('site'));
  for (const [name, startWalSegment] of Object.entries(backups)) {
    await put(catalog, catalog.keys.basebackupMain(name), {
      'start-time': `${name.slice(0, 10)}T00:00:00+00:00`,
      'start-wal-segment': startWalSegment,
      'compression-algorithm': 'snappy',
      format: 'pghoard-bb-v2',
    });
    await put(catalog, catalog.keys.chunk(name, 1), {});
  }
  for (const name of wal) await put(catalog, catalog.walKey(name), {});
  return catalog;
}

const put = (catalog: Catalog, key: string, metadata: Metadata) => catalog.store.put(key, sourceOfBytes(Buffer.from('x')), { metadata });

async function keysOf(catalog: Catalog): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of catalog.store.list('site/')) keys.push(key.slice('site/'.length));
  return keys;
}

const pruneNow = async (catalog: Catalog) => prune(await catalog.basebackups(), rules, now, { catalog, log: silentLog, signal });

const three = {
  '2026-11-20_0': '000000010000000000000002',
  '2026-11-21_0': '000000010000000000000005',
  '2026-11-22_0': '000000020000000000000008',
};
const wal = [
  '000000010000000000000001',
  '000000010000000000000004',
  '000000010000000000000005',
  '000000020000000000000004',
  '000000020000000000000006',
  '00000002.history',
  '000000010000000000000004.partial',
  '000000010000000000000006.partial',
];

test('the oldest backup goes with its chunks and the WAL of every timeline that only it needed', async () => {
  const catalog = await siteWith(three, wal);
  const result = await pruneNow(catalog);
  assert.deepEqual(result, { basebackups: ['2026-11-20_0'], walFiles: 4 });
  assert.deepEqual(await keysOf(catalog), [
    'basebackup/2026-11-21_0.00000000.pghoard',
    'basebackup/2026-11-22_0.00000000.pghoard',
    'basebackup_chunk/2026-11-21_0/2026-11-21_0.00000001.pghoard',
    'basebackup_chunk/2026-11-22_0/2026-11-22_0.00000001.pghoard',
    'timeline/00000002.history',
    'xlog/000000010000000000000005',
    'xlog/000000020000000000000006',
    'xlog_partial/000000010000000000000006.partial',
  ]);
});

test('a second pass finds nothing to do', async () => {
  const catalog = await siteWith(three, wal);
  await pruneNow(catalog);
  const before = await keysOf(catalog);
  assert.deepEqual(await pruneNow(catalog), { basebackups: [], walFiles: 0 });
  assert.deepEqual(await keysOf(catalog), before);
});

test('a preserved backup stays with its WAL until the request is cancelled', async () => {
  const catalog = await siteWith(three, wal);
  const key = await requestPreservation(catalog, catalog.keys.basebackupMain('2026-11-20_0'), new Date('2026-12-01T00:00:00Z'));
  assert.deepEqual(await pruneNow(catalog), { basebackups: ['2026-11-21_0'], walFiles: 1 });
  await cancelPreservation(catalog, key);
  assert.deepEqual([...(await preservedUntil(catalog))], []);
});

test('an object that is no readable backup keeps all WAL', async () => {
  const catalog = await siteWith(three, wal);
  await put(catalog, catalog.keys.basebackup('2026-11-19_0'), {});
  assert.deepEqual(await pruneNow(catalog), { basebackups: ['2026-11-20_0'], walFiles: 0 });
});

test('a preservation request that cannot be understood stops pruning', async () => {
  const catalog = await siteWith(three, wal);
  await put(catalog, `${catalog.keys.preservationPrefix}junk`, {});
  await assert.rejects(pruneNow(catalog), { code: 'preservation-unreadable' });
  assert.equal((await catalog.basebackups()).entries.length, 3);
});
