import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FaultyStore } from '../../test/support/store.ts';
import { makeStoredSite, putObject, walElsewhere } from '../../test/support/stored-site.ts';
import { CodecPool } from '../codec/pool.ts';
import type { SiteConfig } from '../config/load.ts';
import { type Clock, systemClock } from '../lib/clock.ts';
import { OperatorError } from '../lib/errors.ts';
import { type Log, silentLog } from '../lib/log.ts';
import { ObjectLockedError } from '../storage/delete-many.ts';
import { MemoryStore } from '../storage/memory/driver.ts';
import type { UnfinishedOptions } from '../storage/object-store.ts';
import { passOn } from '../storage/pass-on.ts';
import { SiteRetention } from './site-retention.ts';

const hourMs = 3_600_000;
const signal = new AbortController().signal;
const backups = { '2026-11-20_0': '000000010000000000000002', '2026-11-21_0': '000000010000000000000005' };

/** A site of two base backups of which one may stay, and a clock that is set by hand. */
async function bench(settings: Partial<SiteConfig> = {}, stored: Readonly<Record<string, string>> = backups) {
  const store = new FaultyStore(new MemoryStore());
  const sweeps: [prefix: string, before: Date][] = [];
  const told: string[] = [];
  const time = { ms: Date.parse('2026-11-22T00:00:00Z') };
  const clock: Clock = { ...systemClock, now: () => new Date(time.ms), monotonicMs: () => time.ms };
  const removeUnfinished = async (prefix: string, { before }: UnfinishedOptions) => {
    sweeps.push([prefix, before]);
    return 1;
  };
  const catalog = await makeStoredSite(stored, ['000000010000000000000002'], { ...passOn(store), removeUnfinished });
  const log: Log = { ...silentLog, info: (_, message) => void told.push(message), child: () => log };
  const held = { is: true };
  const requireHeld = () => {
    if (!held.is) throw new OperatorError('lease-lost', 'no');
  };
  const limits = { basebackup_count: 1, basebackup_count_min: 0, retention_confirmation: true, keep: null };
  const site = { name: 'site', encryption_keys: null, ...limits, ...settings } as unknown as SiteConfig;
  const pool = new CodecPool(1);
  const raised: string[] = [];
  const alerts = {
    raise: async (name: string, _site: string, because: string) => void raised.push(`${name}: ${because}`),
    clear: async () => void (raised.length = 0),
  };
  const parts = { alerts, clock, log, pool };
  const retention = new SiteRetention({ parts, site, catalog, ownership: { confirm: async () => {}, requireHeld } });
  const run = async () => retention.run(await catalog.basebackups(), [], signal);
  return { store, catalog, sweeps, told, time, held, raised, retention, run };
}

test('what interrupted uploads left a week ago is removed once a day', async () => {
  const { run, sweeps, time } = await bench();
  for (let hour = 0; hour < 49; hour++, time.ms += hourMs) await run();
  const days = ['2026-11-15', '2026-11-16', '2026-11-17'].map((day) => ['site/', new Date(`${day}T00:00:00Z`)]);
  assert.deepEqual(sweeps, days);
});

test('a lock is told once, and shown as long as it lasts', async () => {
  const { run, store, told, retention } = await bench();
  const until = new Date('2027-01-01T00:00:00Z');
  store.inject({ operation: 'delete', key: /basebackup\//, how: 'refuse', error: new ObjectLockedError('it', 'it', until) });
  for (let pass = 0; pass < 3; pass++) await run();
  assert.equal(told.filter((message) => /2026-11-20_0 until 2027-01-01/.test(message)).length, 1);
  assert.match(retention.postponed ?? '', /2026-11-20_0/);
  store.heal();
  assert.deepEqual((await run()).basebackups, ['2026-11-20_0']);
  assert.equal(retention.postponed, undefined);
});

test('who has lost the lease deletes nothing', async () => {
  const { run, store, held } = await bench();
  held.is = false;
  await assert.rejects(run(), { code: 'lease-lost' });
  assert.equal(store.count('delete'), 0);
});

const many = {
  '2026-11-18_0': '000000010000000000000001',
  '2026-11-19_0': '000000010000000000000002',
  '2026-11-20_0': '000000010000000000000003',
  '2026-11-21_0': '000000010000000000000005',
};

test('more than half goes only once it is confirmed, under the name of just that deletion', async () => {
  const { run, store, retention, raised, told } = await bench({}, many);
  for (let pass = 0; pass < 2; pass++) assert.deepEqual((await run()).basebackups, []);
  assert.equal(store.count('delete'), 0);
  const { digest = '' } = retention.pending ?? {};
  assert.match(retention.postponed ?? '', new RegExp(`3 of 4 base backups would be deleted.*--site site --confirm ${digest}$`));
  assert.match(raised[0] ?? '', /^retention_confirmation: .*3 of 4/);
  assert.equal(told.filter((message) => /3 of 4/.test(message)).length, 1);
  assert.throws(() => retention.confirm('another'), { code: 'retention-not-pending', message: /another/ });
  retention.confirm(digest);
  assert.deepEqual((await run()).basebackups, ['2026-11-18_0', '2026-11-19_0', '2026-11-20_0']);
  assert.deepEqual([retention.pending, retention.postponed, raised], [undefined, undefined, []]);
  assert.throws(() => retention.confirm(digest), { code: 'retention-not-pending', message: /no deletion waits/ });
});

test('what was confirmed and broken off goes on without being asked for again', async () => {
  const { run, store, retention } = await bench({}, many);
  await run();
  retention.confirm(retention.pending?.digest ?? '');
  store.inject({ operation: 'delete', key: /basebackup\//, call: 2, how: 'refuse' });
  await assert.rejects(run(), { code: 'store-unreachable' });
  store.heal();
  assert.deepEqual((await run()).basebackups, ['2026-11-19_0', '2026-11-20_0']);
});

test('what would be deleted later is not what was confirmed', async () => {
  const { run, retention, catalog } = await bench({}, many);
  await run();
  const { digest = '' } = retention.pending ?? {};
  await putObject(catalog, catalog.keys.basebackupMain('2026-11-22_0'), {
    'start-time': '2026-11-22T00:00:00+00:00',
    'start-wal-segment': '000000010000000000000007',
    ...walElsewhere,
  });
  retention.confirm(digest);
  assert.deepEqual((await run()).basebackups, []);
  assert.notEqual(retention.pending?.digest, digest);
});

test('the setting takes it for meant', async () => {
  const { run } = await bench({ retention_confirmation: false }, many);
  assert.equal((await run()).basebackups.length, 3);
});

test('a pass that lists, and deletes, tells that it goes on', async () => {
  const { catalog, retention } = await bench();
  let words = 0;
  await retention.run(await catalog.basebackups(), [], signal, () => void words++);
  assert.ok(words > 3, String(words));
});

test('the alert goes when what it asks for does, or another daemon decides', async () => {
  const { run, retention, raised, catalog } = await bench({}, many);
  await run();
  assert.equal(raised.length, 1);
  await retention.standDown();
  assert.deepEqual([raised, retention.pending, retention.postponed], [[], undefined, undefined]);
  await run();
  for (const name of ['2026-11-18_0', '2026-11-19_0']) await catalog.store.delete(catalog.keys.basebackupMain(name));
  assert.equal(raised.length, 1);
  assert.deepEqual((await run()).basebackups, ['2026-11-20_0']);
  assert.deepEqual([raised, retention.pending], [[], undefined]);
});
