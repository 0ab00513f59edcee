import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { Catalog } from '../../src/catalog/catalog.ts';
import { planRetention } from '../../src/retention/plan.ts';
import { openStore } from '../../src/storage/drivers.ts';
import { testOptions } from '../../src/storage/google/test-options.ts';
import type { StorageOptions } from '../../src/storage/options.ts';
import { SeededRandom } from '../support/seeded-random.ts';
import { TestGcs } from '../support/services/gcs.ts';
import { childOf } from '../support/store-child.ts';
import { makeStoredSite, putObject, storedKeys, storedSiteName } from '../support/stored-site.ts';
import { makeTemporaryDirectory } from '../support/temporary-directory.ts';

const rules = { countMax: 2, ageDaysMax: undefined, countMin: 2, intervalHours: 24 };
const { signal } = new AbortController();
const chunks = [1, 2, 3];
const segment = (number: number) => `0000000100000000000000${String(number).padStart(2, '0')}`;
const startOf = (index: number) => 1 + 4 * index;
const minute = new Date().toISOString().slice(0, 16).replace('T', '_').replace(':', '-');
const names = [0, 1, 2, 3].map((number) => `${minute}_${number}`);

/** Four base backups, one after the other, with three chunks and four segments each, and what a receiver leaves beside them. */
async function fill(storage: StorageOptions): Promise<Catalog> {
  const wal = [...[...Array(16).keys()].map((index) => segment(index + 1)), `${segment(2)}.partial`, `${segment(14)}.partial`];
  const catalog = await makeStoredSite({}, wal, await openStore(storage));
  for (const [index, name] of names.entries()) {
    await clockTick();
    const metadata = {
      'start-time': new Date().toISOString(),
      'start-wal-segment': segment(startOf(index)),
      'end-wal-segment': segment(startOf(index) + 1),
      format: 'pghoard-bb-v2',
    };
    for (const number of chunks) await putObject(catalog, catalog.keys.chunk(name, number), {});
    await putObject(catalog, catalog.keys.basebackupMain(name), metadata);
    await clockTick();
  }
  return catalog;
}

/** So that what comes later has a later time. */
async function clockTick(): Promise<void> {
  for (const before = Date.now(); Date.now() <= before + 1; ) await turn();
}

/** Resolves to whether it was killed. */
async function pruneUntilKilled(storage: StorageOptions, deletions: number, when: 'before' | 'after'): Promise<boolean> {
  const args = [childOf('prune-child'), JSON.stringify(storage), storedSiteName, String(deletions), when];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  const [code, killed] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
  assert.ok(code === 0 || killed === 'SIGKILL', `it ended with ${code}`);
  return killed !== null;
}

/** Whatever is listed is whole, and the two newest are. */
async function assertWhole(catalog: Catalog): Promise<void> {
  const { entries, unreadable } = await catalog.basebackups();
  assert.deepEqual(unreadable, []);
  const listed = entries.map(({ name }) => name);
  assert.deepEqual(listed.slice(-2), names.slice(-2));
  const keys = new Set(await storedKeys(catalog));
  for (const [index, name] of names.entries()) {
    if (!listed.includes(name)) continue;
    for (const number of chunks) assert.ok(keys.has(`basebackup_chunk/${name}/${name}.${String(number).padStart(8, '0')}.pghoard`), name);
    for (let number = startOf(index); number <= 16; number++)
      assert.ok(keys.has(`xlog/${segment(number)}`), `${name} needs ${segment(number)}`);
  }
}

async function pruneWithKills(storage: StorageOptions, random: SeededRandom): Promise<void> {
  const catalog = await fill(storage);
  let kills = 0;
  while (await pruneUntilKilled(storage, 1 + random.between(0, 4), random.between(0, 1) === 0 ? 'before' : 'after')) {
    kills++;
    await assertWhole(catalog);
    const { confirmation } = await planRetention(
      { listing: await catalog.basebackups(), elsewhere: [], rules, now: new Date() },
      { catalog, signal },
    );
    assert.equal(confirmation, undefined, 'an interruption is no reason to ask');
  }
  assert.ok(kills >= 2, `killed ${kills} times`);
  await assertWhole(catalog);
  const left = await storedKeys(catalog);
  assert.deepEqual(
    left.filter((key) => key.startsWith('basebackup/')),
    names.slice(-2).map((name) => `basebackup/${name}.00000000.pghoard`),
  );
  assert.deepEqual(
    left.filter((key) => key.startsWith('xlog')),
    [...[...Array(8).keys()].map((index) => `xlog/${segment(index + 9)}`), `xlog_partial/${segment(14)}.partial`],
  );
  const before = new Set(left);
  assert.equal(await pruneUntilKilled(storage, 1, 'before'), false, 'nothing is left to be deleted');
  assert.deepEqual(new Set(await storedKeys(catalog)), before);
  await catalog.store.close();
}

test('a prune that is killed again and again in a directory is finished by the next', async (t) => {
  const random = new SeededRandom();
  t.diagnostic(`seed ${random.seed}`);
  await using scratch = await makeTemporaryDirectory();
  await pruneWithKills({ storage_type: 'local', directory: join(scratch.path, 'store') } as StorageOptions, random);
});

test('and in an object store', async (t) => {
  const random = new SeededRandom();
  t.diagnostic(`seed ${random.seed}`);
  await using gcs = await TestGcs.start();
  gcs.buckets.create('backups');
  await pruneWithKills(testOptions(gcs), random);
});
