import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { absentStore } from '../../test/support/absent-store.ts';
import { FaultyStore } from '../../test/support/store.ts';
import { systemClock } from '../lib/clock.ts';
import { OperatorError } from '../lib/errors.ts';
import { silentLog } from '../lib/log.ts';
import type { SeenCluster } from '../postgres/seen-cluster.ts';
import { LocalStore } from '../storage/local/driver.ts';
import { MemoryStore } from '../storage/memory/driver.ts';
import { sourceOfBytes } from '../storage/object-source.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import { passOn } from '../storage/pass-on.ts';
import { Catalog } from './catalog.ts';
import { IdentityKeeper } from './identity-keeper.ts';
import { SiteKeys } from './keys.ts';
import { readSiteIdentity } from './site-identity.ts';

const directory = await mkdtemp(join(tmpdir(), 'identity-'));
after(() => rm(directory, { recursive: true }));

const segmentBytes = 16 * 1024 * 1024;
const ours = { what: 'our cluster', systemIdentifier: 1n, segmentBytes, major: '15' };
const other = { what: 'another cluster', systemIdentifier: 2n, segmentBytes, major: '18' };
const mismatch = { code: 'cluster-mismatch' };

let hosts = 0;

/** A keeper on a host of its own, or on one that is known, over a store that others may use. */
async function keeperOf(store: ObjectStore, { host = String(hosts++), stored = undefined as SeenCluster | undefined } = {}) {
  const catalog = new Catalog(store, new SiteKeys('main'));
  const memoryFile = join(directory, host);
  let asked = 0;
  const keeper = await IdentityKeeper.open({
    site: 'main',
    catalog,
    memoryFile,
    clusterOfStoredWal: async () => {
      asked++;
      return stored;
    },
    clock: systemClock,
    log: silentLog,
  });
  return { keeper, catalog, memoryFile, host, asked: () => asked };
}

function idOf({ identity }: IdentityKeeper): bigint | undefined {
  return identity?.systemIdentifier;
}

async function storeSomething(store: ObjectStore): Promise<void> {
  await store.put('main/xlog/000000010000000000000001', sourceOfBytes(Buffer.from('x')), { metadata: {} });
}

test('the first cluster that comes to a new site has it, on every host', async () => {
  const store = new MemoryStore();
  const here = await keeperOf(store);
  await here.keeper.admit([]);
  assert.equal(idOf(here.keeper), undefined, 'nobody came');
  await here.keeper.admit([ours]);
  assert.equal(idOf(here.keeper), 1n);
  const there = await keeperOf(store);
  await assert.rejects(there.keeper.admit([other]), {
    ...mismatch,
    message: /another cluster is of another .*main.*identifier is 2, not 1/,
  });
  await assert.rejects(there.keeper.admit([ours, other]), mismatch);
  await assert.rejects(there.keeper.admit([{ ...ours, segmentBytes: 2 ** 20 }]), { ...mismatch, message: /segments have 1048576 bytes/ });
  await there.keeper.admit([ours, { what: 'a history file' }]);
});

test('of two that come at once one gets it, and the other is refused', async () => {
  const store = new MemoryStore();
  const keepers = await Promise.all([ours, other, ours, other].map(async (applicant) => ({ applicant, ...(await keeperOf(store)) })));
  const results = await Promise.allSettled(keepers.map(({ keeper, applicant }) => keeper.admit([applicant])));
  const winner = (await readSiteIdentity(new Catalog(store, new SiteKeys('main'))))?.systemIdentifier;
  for (const [at, { applicant, keeper }] of keepers.entries()) {
    assert.equal(results[at]?.status, applicant.systemIdentifier === winner ? 'fulfilled' : 'rejected');
    assert.equal(idOf(keeper), winner);
  }
});

test('within one daemon too, and nobody slips in with those that know nothing of themselves', async () => {
  const { keeper } = await keeperOf(new MemoryStore());
  const results = await Promise.allSettled([
    keeper.admit([{ what: 'x' }]),
    keeper.admit([ours]),
    keeper.admit([other]),
    keeper.admit([ours]),
  ]);
  assert.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'fulfilled', 'rejected', 'fulfilled'],
  );
});

test('a store that was begun without an identity gets that of its WAL, whoever comes first', async () => {
  const store = new MemoryStore();
  await storeSomething(store);
  const { keeper, asked } = await keeperOf(store, { stored: ours });
  await assert.rejects(keeper.admit([other]), mismatch);
  await keeper.admit([ours]);
  assert.equal(asked(), 1);
});

test('a store whose WAL cannot be read is taken as new; it is looked at only once', async () => {
  const store = new MemoryStore();
  await storeSomething(store);
  const { keeper, asked } = await keeperOf(store);
  await keeper.admit([]);
  await keeper.admit([{ what: 'a history file' }]);
  await keeper.admit([ours]);
  await assert.rejects(keeper.admit([other]), mismatch);
  assert.equal(asked(), 1);
});

test('a store that is not mounted is no new store, while the daemon runs and after a start', async () => {
  const place = join(directory, 'mount point');
  const open = () => new LocalStore({ directory: place });
  const before = await keeperOf(open());
  await before.keeper.admit([ours]);
  await storeSomething(open());
  await rm(place, { recursive: true });
  await mkdir(place);
  const later = await keeperOf(open(), { host: before.host });
  for (const { keeper } of [before, later]) {
    await assert.rejects(keeper.admit([ours]), { code: 'store-empty', retryable: true, hint: new RegExp(`remove ${before.memoryFile}`) });
    assert.equal(idOf(keeper), 1n, 'WAL is checked against what is known');
  }
  assert.equal(existsSync(join(place, 'main')), false, 'nothing was written');

  await rm(before.memoryFile);
  for (const { keeper } of [before, later]) await keeper.admit([ours]);
  assert.equal(existsSync(join(place, 'main')), true);
});

test('with another store, or another prefix, the site begins anew', async () => {
  const first = await keeperOf(new LocalStore({ directory: join(directory, 'first') }));
  await first.keeper.admit([ours]);
  const second = await keeperOf(new LocalStore({ directory: join(directory, 'second') }), { host: first.host });
  await second.keeper.admit([other]);
  assert.equal(idOf(second.keeper), 2n);
});

test('what was known at the last start is known while the store does not answer', async () => {
  const store = new FaultyStore(new MemoryStore());
  const first = await keeperOf(store);
  await first.keeper.admit([ours]);
  store.inject({ operation: 'get', how: 'refuse' });
  const { keeper } = await keeperOf(store, { host: first.host });
  assert.equal(idOf(keeper), 1n);
  await assert.rejects(keeper.admit([ours]), { code: 'store-unreachable' });
  store.heal();
  await keeper.admit([ours]);
});

test('a memory that is damaged is forgotten', async () => {
  const store = new MemoryStore();
  const first = await keeperOf(store);
  await first.keeper.admit([ours]);
  await writeFile(first.memoryFile, (await readFile(first.memoryFile, 'utf8')).slice(0, 40));
  const { keeper } = await keeperOf(store, { host: first.host });
  assert.equal(idOf(keeper), undefined);
  await keeper.admit([ours]);
  assert.equal(idOf(keeper), 1n);
});

test('a claim whose answer is lost, or that a crash has cut in half, is made again', async () => {
  const lost = new FaultyStore(new MemoryStore(), [{ operation: 'put', call: 1, how: 'lose-response' }]);
  const first = await keeperOf(lost);
  await assert.rejects(first.keeper.admit([ours]), { code: 'store-unreachable' });
  await first.keeper.admit([ours]);
  await assert.rejects(first.keeper.admit([other]), mismatch);

  const place = join(directory, 'half');
  await mkdir(join(place, 'main'), { recursive: true });
  await writeFile(join(place, 'main', 'site_identity'), '{"format": 1,');
  const second = await keeperOf(new LocalStore({ directory: place }));
  await second.keeper.admit([ours]);
  assert.equal((await readSiteIdentity(second.catalog))?.systemIdentifier, 1n);
});

test('major versions are noted as they are seen', async () => {
  const { keeper, catalog } = await keeperOf(new MemoryStore());
  await keeper.noteMajor('14');
  await keeper.admit([ours]);
  for (const major of ['15', '16', '15']) await keeper.noteMajor(major);
  assert.deepEqual((await readSiteIdentity(catalog))?.majors, ['15', '16']);
  assert.deepEqual(keeper.identity?.majors, ['15', '16']);
});

test('a bucket that is missing is made for a site that is new, also where nobody has come yet', async () => {
  for (const applicants of [[], [ours]]) {
    const store = absentStore(new MemoryStore());
    const { keeper } = await keeperOf(store);
    await Promise.all([keeper.admit(applicants), keeper.admit(applicants)]);
    assert.deepEqual([store.there, store.creations], [true, 1]);
    assert.equal(idOf(keeper), applicants[0]?.systemIdentifier);
  }
});

test('a bucket that had backups and is gone is not made again, unless somebody says so', async () => {
  const store = absentStore(new MemoryStore());
  const before = await keeperOf(store);
  await before.keeper.admit([ours]);
  store.there = false;
  const { keeper: restarted, memoryFile } = await keeperOf(store, { host: before.host });
  for (const keeper of [before.keeper, restarted]) {
    await assert.rejects(keeper.admit([ours]), { code: 'store-missing', message: /had backups of site main/, hint: /remove .*/ });
  }
  assert.deepEqual([store.there, store.creations], [false, 1]);
  await rm(memoryFile);
  await restarted.admit([ours]);
  assert.equal(store.creations, 2);
});

test('what another store had does not keep a missing one from being made', async () => {
  const before = await keeperOf(new MemoryStore());
  await before.keeper.admit([ours]);
  const store = absentStore({ ...passOn(new MemoryStore()), name: 'another bucket' });
  const { keeper } = await keeperOf(store, { host: before.host });
  await keeper.admit([ours]);
  assert.ok(store.there);
});

test('a store that does not answer, or refuses, is never made', async () => {
  for (const code of ['store-unreachable', 'store-denied']) {
    const store = new FaultyStore(absentStore(new MemoryStore()));
    store.inject({ operation: 'get', how: 'refuse', error: new OperatorError(code, 'no') });
    const { keeper } = await keeperOf({ ...passOn(store), create: () => assert.fail('made') });
    await assert.rejects(keeper.admit([ours]), { code });
  }
});
