import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeStoredSite } from '../../test/support/stored-site.ts';
import { systemClock } from '../lib/clock.ts';
import { MemoryStore } from '../storage/memory/driver.ts';
import { passOn } from '../storage/pass-on.ts';
import { SiteListing } from './site-listing.ts';

const signal = new AbortController().signal;
const backups = { '2026-11-20_0': '000000010000000000000002', '2026-11-21_0': '000000010000000000000005' };

test('base backups are listed again at once after a change, and not before', async () => {
  const catalog = await makeStoredSite(backups, [], new MemoryStore());
  const listing = new SiteListing({ catalog, relatives: async () => [catalog], clock: systemClock });
  assert.ok(listing.isOld);
  assert.ok(await listing.refresh(signal));
  assert.deepEqual([listing.isOld, await listing.refresh(signal)], [false, undefined]);
  const isListed = listing.outdate();
  assert.deepEqual([listing.isOld, isListed()], [true, false]);
  assert.ok(await listing.refresh(signal));
  assert.deepEqual([listing.isOld, isListed()], [false, true]);
});

test('what changes while they are being listed may not be on the list: they are listed once more', async () => {
  const store = new MemoryStore();
  const listed = Promise.withResolvers<void>();
  const catalog = await makeStoredSite(backups, [], {
    ...passOn(store),
    async *list(prefix, options) {
      yield* store.list(prefix, options);
      await listed.promise;
    },
  });
  const listing = new SiteListing({ catalog, relatives: async () => [catalog], clock: systemClock });
  const refreshing = listing.refresh(signal);
  const isListed = listing.outdate();
  listed.resolve();
  await refreshing;
  assert.deepEqual([listing.current?.entries.length, listing.isOld, isListed()], [2, true, false]);
  assert.ok(await listing.refresh(signal));
  assert.deepEqual([listing.isOld, isListed()], [false, true]);
});
