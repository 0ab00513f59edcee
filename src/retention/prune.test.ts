import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FaultyStore } from '../../test/support/store.ts';
import { makeStoredSite, putObject, storedKeys } from '../../test/support/stored-site.ts';
import { waitFor } from '../../test/support/wait-for.ts';
import { Catalog } from '../catalog/catalog.ts';
import { cancelPreservation, preservedUntil, requestPreservation } from '../catalog/preservation.ts';
import { silentLog } from '../lib/log.ts';
import { MemoryStore } from '../storage/memory/driver.ts';
import { passOn } from '../storage/pass-on.ts';
import type { RetentionRules } from './decide.ts';
import { prune } from './prune.ts';

const now = new Date('2026-11-23T12:00:00Z');
const walHere = { 'active-backup-mode': 'archive_command' };
const rules: RetentionRules = { countMax: 2, ageDaysMax: undefined, countMin: 0, intervalHours: 24 };
const signal = new AbortController().signal;

const pruneNow = async (catalog: Catalog) => prune(await catalog.basebackups(), rules, now, { catalog, log: silentLog, signal });

async function deleteOneAfterTheOther(store: FaultyStore, keys: readonly string[], goesOn: () => boolean): Promise<readonly []> {
  for (const key of keys) {
    if (key.includes('/xlog') && !goesOn()) throw new Error('the power fails');
    await store.delete(key);
  }
  return [];
}

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

test('what was found out of a backup goes with it, and what an interruption has left of that', async () => {
  const catalog = await makeStoredSite(three, wal);
  const { keys } = catalog;
  for (const name of [...Object.keys(three), '2026-11-19_0']) await putObject(catalog, keys.verifyEvidenceOfBasebackup(name), {});
  await putObject(catalog, keys.verifyProgressOfBasebackup('2026-11-20_0'), {});
  await putObject(catalog, keys.verifyEvidenceOfTimeline(1), {});
  await pruneNow(catalog);
  assert.deepEqual(
    (await storedKeys(catalog)).filter((key) => key.startsWith('evidence/')),
    ['evidence/verify/basebackup/2026-11-21_0', 'evidence/verify/basebackup/2026-11-22_0', 'evidence/verify/wal/00000001'],
  );
});

test('the oldest backup goes with its chunks and the WAL of every timeline that only it needed', async () => {
  const catalog = await makeStoredSite(three, wal);
  const result = await pruneNow(catalog);
  assert.deepEqual(result, { basebackups: ['2026-11-20_0'], walFiles: 4 });
  assert.deepEqual(await storedKeys(catalog), [
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

test('beginnings of segments that never were stored whole go with their WAL', async () => {
  const catalog = await makeStoredSite(three, wal);
  const [gone, kept] = ['000000010000000000000004', '000000010000000000000005'].map((segment) =>
    catalog.keys.walBeginning({ segment, bytes: 8192 }),
  );
  for (const key of [gone, kept]) await putObject(catalog, key as string, {});
  assert.deepEqual(await pruneNow(catalog), { basebackups: ['2026-11-20_0'], walFiles: 5 });
  const left = (await storedKeys(catalog)).filter((key) => key.startsWith('xlog_partial'));
  assert.deepEqual(left, ['xlog_partial/000000010000000000000005.00002000.partial', 'xlog_partial/000000010000000000000006.partial']);
});

test('indexes go with their WAL, and those whose WAL is gone once nothing could need it', async () => {
  const catalog = await makeStoredSite(three, wal);
  const indexed = [...wal.filter((name) => !name.endsWith('.history')), '000000010000000000000002', '000000010000000000000009'];
  for (const name of indexed) await putObject(catalog, catalog.keys.walIndex(name), {});
  assert.deepEqual(await pruneNow(catalog), { basebackups: ['2026-11-20_0'], walFiles: 4 });
  const left = (await storedKeys(catalog)).filter((key) => key.startsWith('xlog_index/'));
  const staying = ['000000010000000000000005', '000000010000000000000006.partial', '000000010000000000000009', '000000020000000000000006'];
  assert.deepEqual(
    left,
    staying.map((name) => `xlog_index/${name}`),
  );
});

test('what is told of many segments together goes once the last of them goes', async () => {
  const catalog = await makeStoredSite(three, wal);
  const rollups = ['000000010000000000000004.2.29633333-29633400.0', '000000010000000000000005.3.none.0', 'README'];
  for (const name of rollups) await putObject(catalog, catalog.keys.walRollup(name), {});
  assert.deepEqual(await pruneNow(catalog), { basebackups: ['2026-11-20_0'], walFiles: 4 });
  const left = (await storedKeys(catalog)).filter((key) => key.startsWith('xlog_rollup/'));
  assert.deepEqual(left, ['xlog_rollup/000000010000000000000005.3.none.0', 'xlog_rollup/README']);
});

test('an interruption leaves no index without its segment', async () => {
  for (let deletions = 0; deletions < 8; deletions++) {
    const store = new FaultyStore(new MemoryStore());
    const catalog = await makeStoredSite(three, wal, store);
    const segments = wal.filter((name) => /^[0-9A-F]{24}$/.test(name));
    for (const name of segments) await putObject(catalog, catalog.keys.walIndex(name), {});
    let left = deletions;
    const cut = { ...passOn(store), deleteMany: (keys: readonly string[]) => deleteOneAfterTheOther(store, keys, () => left-- > 0) };
    await pruneNow(new Catalog(cut, catalog.keys)).catch(() => {});
    const keys = await storedKeys(catalog);
    const indexes = keys.filter((key) => key.startsWith('xlog_index/')).map((key) => key.replace('xlog_index/', 'xlog/'));
    assert.deepEqual(
      indexes.filter((key) => !keys.includes(key)),
      [],
      `${deletions} deletions`,
    );
    assert.deepEqual((await pruneNow(catalog)).postponed, undefined);
    assert.equal((await storedKeys(catalog)).filter((key) => key.startsWith('xlog_index/')).length, 2);
  }
});

test('a second pass finds nothing to do', async () => {
  const catalog = await makeStoredSite(three, wal);
  await pruneNow(catalog);
  const before = await storedKeys(catalog);
  assert.deepEqual(await pruneNow(catalog), { basebackups: [], walFiles: 0 });
  assert.deepEqual(await storedKeys(catalog), before);
});

test('a preserved backup stays with its WAL until the request is cancelled', async () => {
  const catalog = await makeStoredSite(three, wal);
  const request = [catalog, catalog.keys.basebackupMain('2026-11-20_0'), new Date('2026-12-01T00:00:00Z')] as const;
  await requestPreservation(...request);
  assert.deepEqual(await pruneNow(catalog), { basebackups: [], walFiles: 1 });
  await cancelPreservation(...request);
  assert.deepEqual([...(await preservedUntil(catalog))], []);
  assert.deepEqual(await pruneNow(catalog), { basebackups: ['2026-11-20_0'], walFiles: 3 });
});

test('a restore that begins while a pass looks around keeps its base backup', async () => {
  const store = new FaultyStore(new MemoryStore());
  const catalog = await makeStoredSite(three, wal, store);
  const key = catalog.keys.basebackupMain('2026-11-20_0');
  const begin = Promise.withResolvers<void>();
  store.inject({ operation: 'list', key: /xlog\//, call: 1, how: 'wait', until: begin.promise });
  const pass = pruneNow(catalog);
  await waitFor(() => store.count('list', /xlog\//) > 0, { withinMs: 5_000, what: 'it lists the WAL' });
  await requestPreservation(catalog, key, new Date('2026-12-01T00:00:00Z'));
  begin.resolve();
  const { postponed, ...done } = await pass;
  assert.deepEqual(done, { basebackups: [], walFiles: 0 });
  assert.match(postponed ?? '', /2026-11-20_0/);
  assert.deepEqual(await pruneNow(catalog), { basebackups: [], walFiles: 1 });
});

test('nothing goes until the last WAL that the newest backup needs is stored: it may never come', async () => {
  const catalog = await makeStoredSite(three, wal);
  const newest = { key: catalog.keys.basebackupMain('2026-11-22_0'), end: '000000020000000000000009' };
  const { metadata } = await catalog.store.head(newest.key);
  await putObject(catalog, newest.key, { ...metadata, ...walHere, 'start-wal-segment': newest.end, 'end-wal-segment': newest.end });
  const before = await storedKeys(catalog);
  const { postponed, ...done } = await pruneNow(catalog);
  assert.deepEqual(done, { basebackups: [], walFiles: 0 });
  assert.match(postponed ?? '', /2026-11-22_0.*000000020000000000000009/);
  assert.deepEqual(await storedKeys(catalog), before);
  await putObject(catalog, catalog.walKey(newest.end), {});
  assert.deepEqual(await pruneNow(catalog), { basebackups: ['2026-11-20_0'], walFiles: 4 });
});

test('nothing goes as long as WAL is missing that the newest backup needs on its way', async () => {
  const catalog = await makeStoredSite(three, wal);
  const key = catalog.keys.basebackupMain('2026-11-22_0');
  const { metadata } = await catalog.store.head(key);
  const needed = ['000000020000000000000007', '000000020000000000000008', '000000020000000000000009'] as const;
  await putObject(catalog, key, { ...metadata, ...walHere, 'start-wal-segment': needed[0], 'end-wal-segment': needed[2] });
  const size = { 'original-file-size': '16777216' };
  for (const name of [needed[2], needed[0]]) {
    assert.match((await pruneNow(catalog)).postponed ?? '', /2026-11-22_0/);
    await putObject(catalog, catalog.walKey(name), size);
  }
  assert.match((await pruneNow(catalog)).postponed ?? '', /000000020000000000000008/);
  await putObject(catalog, catalog.walKey(needed[1]), size);
  assert.deepEqual((await pruneNow(catalog)).basebackups, ['2026-11-20_0']);
});

test('a newest backup that holds its WAL itself waits for none', async () => {
  const catalog = await makeStoredSite(three, wal);
  const key = catalog.keys.basebackupMain('2026-11-22_0');
  const { metadata } = await catalog.store.head(key);
  const itself = { 'end-wal-segment': '000000020000000000000009', 'active-backup-mode': 'standalone_hot_backup' };
  await putObject(catalog, key, { ...metadata, ...itself });
  assert.deepEqual((await pruneNow(catalog)).basebackups, ['2026-11-20_0']);
});

test('an object that is no readable backup keeps all WAL', async () => {
  const catalog = await makeStoredSite(three, wal);
  await putObject(catalog, catalog.keys.basebackup('2026-11-19_0'), {});
  assert.deepEqual(await pruneNow(catalog), { basebackups: ['2026-11-20_0'], walFiles: 0 });
});

test('a preservation request that cannot be understood stops pruning', async () => {
  const catalog = await makeStoredSite(three, wal);
  await putObject(catalog, `${catalog.keys.preservationPrefix}junk`, {});
  await assert.rejects(pruneNow(catalog), { code: 'preservation-unreadable' });
  assert.equal((await catalog.basebackups()).entries.length, 3);
});

test('requests that ran out long ago are removed, others stay', async () => {
  const catalog = await makeStoredSite(three, wal);
  const key = catalog.keys.basebackupMain('2026-11-20_0');
  for (const day of ['01', '14', '17', '30']) await requestPreservation(catalog, key, new Date(`2026-11-${day}T00:00:00Z`));
  await pruneNow(catalog);
  const left = (await storedKeys(catalog)).filter((each) => each.startsWith('preservation_request/'));
  assert.deepEqual(
    left.map((each) => each.slice(-25, -15)),
    ['2026-11-17', '2026-11-30'],
  );
});

test('WAL that a backup of a site moved from needs stays', async () => {
  const catalog = await makeStoredSite(three, wal);
  const old = await makeStoredSite({ '2026-11-19_0': '000000010000000000000004' }, []);
  const { entries } = await old.basebackups();
  const result = await prune(await catalog.basebackups(), rules, now, { catalog, log: silentLog, signal }, { elsewhere: entries });
  assert.deepEqual(result, { basebackups: ['2026-11-20_0'], walFiles: 1 });
});
