import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FaultyStore } from '../../test/support/store.ts';
import { makeStoredSite } from '../../test/support/stored-site.ts';
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
async function bench() {
  const store = new FaultyStore(new MemoryStore());
  const sweeps: [prefix: string, before: Date][] = [];
  const told: string[] = [];
  const time = { ms: Date.parse('2026-11-22T00:00:00Z') };
  const clock: Clock = { ...systemClock, now: () => new Date(time.ms), monotonicMs: () => time.ms };
  const removeUnfinished = async (prefix: string, { before }: UnfinishedOptions) => {
    sweeps.push([prefix, before]);
    return 1;
  };
  const catalog = await makeStoredSite(backups, ['000000010000000000000002'], { ...passOn(store), removeUnfinished });
  const log: Log = { ...silentLog, info: (_, message) => void told.push(message), child: () => log };
  const held = { is: true };
  const requireHeld = () => {
    if (!held.is) throw new OperatorError('lease-lost', 'no');
  };
  const site = { name: 'site', basebackup_count: 1, basebackup_count_min: 0, encryption_keys: null } as unknown as SiteConfig;
  const pool = new CodecPool(1);
  const retention = new SiteRetention({ parts: { clock, log, pool }, site, catalog, ownership: { confirm: async () => {}, requireHeld } });
  const run = async () => retention.run(await catalog.basebackups(), [], signal);
  return { store, sweeps, told, time, held, retention, run };
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
