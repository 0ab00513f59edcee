import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeStoredSite, putObject, storedKeys, walElsewhere } from '../../test/support/stored-site.ts';
import type { Catalog } from '../catalog/catalog.ts';
import { silentLog } from '../lib/log.ts';
import type { RetentionRules } from './decide.ts';
import { planRetention } from './plan.ts';
import { prune } from './prune.ts';

const dayMs = 86_400_000;
const walHere = { 'active-backup-mode': 'archive_command' };
const now = new Date('2026-11-23T12:00:00Z');
const rules: RetentionRules = { countMax: 1, ageDaysMax: undefined, countMin: 0, intervalHours: 24 };
const signal = new AbortController().signal;
const three = {
  '2026-11-20_0': '000000010000000000000002',
  '2026-11-21_0': '000000010000000000000005',
  '2026-11-22_0': '000000010000000000000008',
};
const wal = [...Array(9).keys()].map((number) => `00000001000000000000000${number + 1}`);

async function stayingWal(catalog: Catalog, more: Partial<RetentionRules> = {}, when = now): Promise<string> {
  const request = { listing: await catalog.basebackups(), elsewhere: [], rules: { ...rules, ...more }, now: when };
  const { survey } = await planRetention(request, { catalog, signal });
  const stays = survey.filter((stretch) => stretch.stays);
  return stays.map(({ from, to }) => `${Number.parseInt(from.slice(-2), 16)}-${Number.parseInt(to.slice(-2), 16)}`).join(' ');
}

/** When the store has it that everything was stored. */
async function storedAt(catalog: Catalog): Promise<number> {
  return (await catalog.store.head(catalog.keys.basebackupMain('2026-11-22_0'))).lastModified.getTime();
}

test('a base backup that is being taken elsewhere keeps the WAL from the one before it on', async () => {
  const catalog = await makeStoredSite(three, wal);
  assert.equal(await stayingWal(catalog), '8-9');
  await putObject(catalog, catalog.keys.chunk('2026-11-21_12-00_0', 1), {});
  assert.equal(await stayingWal(catalog), '5-7 8-9');
  const aWeekLater = new Date((await storedAt(catalog)) + 7.1 * dayMs);
  assert.equal(await stayingWal(catalog, {}, aWeekLater), '8-9', 'by then it has been given up');
});

test('a clock that is a year ahead takes nobody for given up', async () => {
  const catalog = await makeStoredSite(three, wal);
  const chunk = catalog.keys.chunk('2026-11-21_12-00_0', 1);
  await putObject(catalog, chunk, {});
  const wrong = new Date((await storedAt(catalog)) + 365 * dayMs);
  assert.equal(await stayingWal(catalog, {}, wrong), '5-7 8-9');
  await prune(await catalog.basebackups(), rules, wrong, { catalog, log: silentLog, signal });
  assert.ok(await catalog.store.head(chunk));
});

test('one that was begun before every other keeps all WAL', async () => {
  const catalog = await makeStoredSite(three, wal);
  await putObject(catalog, catalog.keys.deltaChunkFile('2026-11-19_12-00_0/2026-11-19_12-00_0.00000001.pghoard'), {});
  assert.equal(await stayingWal(catalog), '1-7 8-9');
});

test('what is left of one that was complete keeps nothing: another one has been begun since its last chunk', async () => {
  const catalog = await makeStoredSite(three, wal);
  await putObject(catalog, catalog.keys.chunk('2026-11-22_12-00_0', 1), {});
  const later = new Date((await storedAt(catalog)) + dayMs).toISOString();
  await putObject(catalog, catalog.keys.basebackupMain('later'), {
    'start-time': later,
    'start-wal-segment': '000000010000000000000009',
    ...walElsewhere,
  });
  assert.equal(await stayingWal(catalog, {}, new Date((await storedAt(catalog)) + 2 * dayMs)), '9-9');
});

test('between base backups that are kept for their periods WAL goes, theirs stays', async () => {
  const catalog = await makeStoredSite(three, wal);
  for (const [name, start] of Object.entries(three)) {
    const key = catalog.keys.basebackupMain(name);
    const { metadata } = await catalog.store.head(key);
    await putObject(catalog, key, {
      ...metadata,
      ...walHere,
      'end-wal-segment': start.replace(/.$/, (digit) => String(Number(digit) + 1)),
    });
  }
  const keep = { daily: 3, weekly: 0, monthly: 0, yearly: 0 };
  assert.equal(await stayingWal(catalog, { keep }), '2-3 5-6 8-9');
  const done = await prune(await catalog.basebackups(), { ...rules, keep }, now, { catalog, log: silentLog, signal });
  assert.deepEqual(done, { basebackups: [], walFiles: 3 });
  const left = (await storedKeys(catalog)).filter((key) => key.startsWith('xlog/')).map((key) => key.slice(-1));
  assert.deepEqual(left, ['2', '3', '5', '6', '8', '9']);
  assert.deepEqual(await prune(await catalog.basebackups(), { ...rules, keep }, now, { catalog, log: silentLog, signal }), {
    basebackups: [],
    walFiles: 0,
  });
});

test('a base backup of which WAL is missing counts for nothing', async () => {
  const catalog = await makeStoredSite(three, wal);
  const key = catalog.keys.basebackupMain('2026-11-21_0');
  const { metadata } = await catalog.store.head(key);
  await putObject(catalog, key, { ...metadata, ...walHere, 'end-wal-segment': '00000001000000000000000A' });
  const { decision } = await planRetention(
    { listing: await catalog.basebackups(), elsewhere: [], rules: { ...rules, countMax: 2 }, now },
    { catalog, signal },
  );
  assert.deepEqual(
    decision.backups.map(({ name, stays }) => [name, stays]),
    [
      ['2026-11-20_0', true],
      ['2026-11-21_0', true],
      ['2026-11-22_0', true],
    ],
  );
});
