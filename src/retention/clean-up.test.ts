import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FaultyStore } from '../../test/support/store.ts';
import { makeStoredSite, putObject, storedKeys } from '../../test/support/stored-site.ts';
import { systemClock } from '../lib/clock.ts';
import { noneLocked } from '../storage/delete-many.ts';
import { MemoryStore } from '../storage/memory/driver.ts';
import { cleanUpWal } from './clean-up.ts';

const { signal } = new AbortController();
const backups = { '2026-11-21_0': '000000010000000000000005', '2026-11-22_0': '000000020000000000000008' };
/** With a gap, at which the walk of the original ended, and leftovers of both timelines before it. */
const orphans = [
  '000000010000000000000001',
  '000000010000000000000002.partial',
  '000000010000000000000004',
  '000000020000000000000003',
] as const;
const needed = ['000000010000000000000005', '000000010000000000000006.partial', '000000020000000000000006', '00000002.history'] as const;

test('WAL before every base backup goes, whatever its timeline; nothing else does', async () => {
  const catalog = await makeStoredSite(backups, [...orphans, ...needed]);
  await putObject(catalog, `${catalog.keys.walPrefix}000000010000000000000001.something`, {});
  const seen: string[] = [];
  const result = await cleanUpWal(catalog, [], { signal, onFile: ({ key }) => seen.push(key) });
  assert.deepEqual(result, { files: 4, bytes: 4, locked: noneLocked });
  assert.deepEqual(seen.toSorted(), orphans.map((name) => catalog.walKey(name)).toSorted());
  assert.deepEqual(
    (await storedKeys(catalog)).filter((key) => !key.startsWith('basebackup')),
    [
      'timeline/00000002.history',
      'xlog/000000010000000000000001.something',
      'xlog/000000010000000000000005',
      'xlog/000000020000000000000006',
      'xlog_partial/000000010000000000000006.partial',
    ],
  );
  assert.deepEqual(
    await cleanUpWal(catalog, [], { signal }),
    { files: 0, bytes: 0, locked: noneLocked },
    'a second time there is nothing to do',
  );
});

test('WAL of a timeline that no base backup has reached stays as long as it may be in use', async () => {
  let days = 0;
  const store = new MemoryStore({ ...systemClock, now: () => new Date(Date.now() + days * 86_400_000) });
  const catalog = await makeStoredSite(backups, [...orphans, '000000030000000000000001'], store);
  assert.equal((await cleanUpWal(catalog, [], { signal })).files, 4);
  assert.deepEqual(
    (await storedKeys(catalog)).filter((key) => key.startsWith('xlog/')),
    ['xlog/000000030000000000000001'],
  );
  days = 30;
  const later = new Date(Date.now() + days * 86_400_000).toISOString();
  await putObject(catalog, catalog.keys.basebackupMain('later'), { 'start-time': later, 'start-wal-segment': '000000020000000000000009' });
  assert.equal((await cleanUpWal(catalog, [], { signal })).files, 1);
});

test('a dry run tells the same and deletes nothing', async () => {
  const catalog = await makeStoredSite(backups, [...orphans, ...needed]);
  const before = await storedKeys(catalog);
  const seen: string[] = [];
  assert.deepEqual(await cleanUpWal(catalog, [], { signal, dryRun: true, onFile: ({ key }) => seen.push(key) }), {
    files: 4,
    bytes: 4,
    locked: noneLocked,
  });
  assert.equal(seen.length, 4);
  assert.deepEqual(await storedKeys(catalog), before);
});

test('nothing is deleted where there is no base backup', async () => {
  const catalog = await makeStoredSite({}, [...orphans, ...needed]);
  const before = await storedKeys(catalog);
  await assert.rejects(cleanUpWal(catalog, [], { signal }), { code: 'basebackup-missing' });
  assert.deepEqual(await storedKeys(catalog), before);
});

test('nothing is deleted where the needs of something among the base backups cannot be read', async () => {
  const catalog = await makeStoredSite(backups, orphans);
  await putObject(catalog, catalog.keys.basebackup('2026-11-20_0'), { 'start-time': '2026-11-20T00:00:00Z' });
  const before = await storedKeys(catalog);
  await assert.rejects(cleanUpWal(catalog, [], { signal }), { code: 'basebackup-unreadable', message: /2026-11-20_0/ });
  assert.deepEqual(await storedKeys(catalog), before);
});

test('base backups of a site that this one continues need its WAL too', async () => {
  const catalog = await makeStoredSite(backups, orphans);
  const old = await makeStoredSite({ '2026-11-01_0': '000000010000000000000003' }, []);
  assert.deepEqual(await cleanUpWal(catalog, [old], { signal }), { files: 2, bytes: 2, locked: noneLocked });
  await putObject(old, old.keys.basebackup('junk'), {});
  await assert.rejects(cleanUpWal(catalog, [old], { signal }), { code: 'basebackup-unreadable' });
});

test('a store that does not answer ends it, and it can be repeated', async () => {
  const store = new FaultyStore(new MemoryStore());
  const catalog = await makeStoredSite(backups, orphans, store);
  store.inject({ operation: 'delete', call: 2, how: 'lose-response' });
  await assert.rejects(cleanUpWal(catalog, [], { signal }), { code: 'store-unreachable' });
  store.heal();
  await cleanUpWal(catalog, [], { signal });
  assert.deepEqual(
    (await storedKeys(catalog)).filter((key) => key.startsWith('xlog')),
    [],
  );
});
