import assert from 'node:assert/strict';
import { test } from 'node:test';
import { absentStore } from '../../../test/support/absent-store.ts';
import { SimulatedClock } from '../../../test/support/simulated-clock.ts';
import { Catalog } from '../../catalog/catalog.ts';
import { SiteKeys } from '../../catalog/keys.ts';
import { silentLog } from '../../lib/log.ts';
import { MemoryStore } from '../../storage/memory/driver.ts';
import { ArchiveMap } from './archive-map.ts';
import { ArchiveWatch } from './archive-watch.ts';

function watched() {
  const store = absentStore(new MemoryStore());
  const signal = new AbortController().signal;
  const clock = new SimulatedClock();
  const warnings: string[] = [];
  const log = { ...silentLog, warn: (_: object, message: string) => void warnings.push(message) };
  const catalog = new Catalog(store, new SiteKeys('main'));
  const map = new ArchiveMap({
    relatives: async () => [catalog],
    segmentBytes: () => 1 << 24,
    readHistory: async () => undefined,
    signal,
  });
  const watch = new ArchiveWatch({
    site: 'main',
    map,
    archivingDirectory: undefined,
    written: () => undefined,
    partSeconds: 300,
    clock,
    log,
    signal,
  });
  const pass = (seconds: number) => clock.run(clock.sleep(seconds * 1000));
  return { store, warnings, watch, pass };
}

test('the bucket of a new site is still to be made: that is no warning until the second look', async () => {
  const { store, warnings, watch, pass } = watched();
  await watch.refresh();
  assert.deepEqual(warnings, []);
  await pass(6);
  await watch.refresh();
  assert.match(warnings.join('\n'), /^cannot find out which WAL is stored: .*does not exist/);
  store.there = true;
  await pass(60);
  await watch.refresh();
  assert.equal(warnings.length, 1);
});

test('a bucket that was there and is gone is one at once', async () => {
  const { store, warnings, watch, pass } = watched();
  store.there = true;
  await watch.refresh();
  await watch.survey();
  store.there = false;
  await pass(7 * 3600);
  await watch.refresh();
  assert.match(warnings.join('\n'), /^cannot find out which WAL is stored: .*does not exist/);
});
