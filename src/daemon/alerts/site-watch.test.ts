import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimulatedClock } from '../../../test/support/simulated-clock.ts';
import { WalRanges } from '../../catalog/wal-ranges.ts';
import type { DaemonConfig } from '../../config/load.ts';
import { silentLog } from '../../lib/log.ts';
import { formatWalName } from '../../postgres/wal-name.ts';
import { SiteWatch, type WatchedSite } from './site-watch.ts';

const segmentBytes = 16 * 1024 * 1024;
const segment = (number: number) => formatWalName({ timeline: 1, number: BigInt(number) }, segmentBytes);
const stalledSeconds = 300;

/** A site whose server has finished segments that may not be stored, and what its watch says of that. */
function bench() {
  const clock = new SimulatedClock();
  const site = { stored: 5, behind: 0, fetched: undefined as string | undefined, isOnNewTimeline: false };
  let raised: string | undefined;
  const watched = {
    name: 'main',
    get health() {
      const restorable = { is: true, state: 'yes' as const, because: '' };
      const elsewhere = { because: 'the server is on timeline 2', isOnNewTimeline: true };
      const walLag = site.isOnNewTimeline ? elsewhere : { bytes: site.behind * segmentBytes, because: '' };
      return {
        at: clock.now(),
        restorable,
        walLag,
        backups: { failures: 0 },
        jobs: [],
      };
    },
    get gaps() {
      const ranges = new WalRanges();
      for (let number = 1; number <= site.stored; number++) ranges.add({ timeline: 1, number: BigInt(number) }, clock.now());
      return { view: { segmentBytes, ranges }, fetched: site.fetched };
    },
    loop: {},
    // So that nobody looks for a maintenance file: made-up time does not wait for disks.
    ownership: { standing: 'elsewhere', hindrance: 'another daemon does' },
    throttling: { throttledMs: 0 },
  } as unknown as WatchedSite;
  const alerts = { wal_stalled_seconds: stalledSeconds };
  const config = { backup_sites: { main: { active: true } }, alerts, maintenance_mode_file: '/nonexistent/maintenance' };
  const watch = new SiteWatch({
    name: 'main',
    site: () => watched,
    config: () => config as unknown as DaemonConfig,
    alerts: {
      raise: async (name, _, because) => void (name === 'wal_not_archived' && (raised = because)),
      clear: async (name) => void (name === 'wal_not_archived' && (raised = undefined)),
    },
    version: '',
    clock,
    log: silentLog,
  });
  return { site, pass: (seconds: number) => clock.run(clock.sleep(seconds * 1000)), raised: () => raised, watch };
}

test('WAL that is not handed over is alarmed about until some is, though base backups have theirs fetched meanwhile', async () => {
  const { site, pass, raised, watch } = bench();
  site.behind = 2;
  await pass(stalledSeconds - 10);
  assert.equal(raised(), undefined);
  await pass(20);
  assert.match(raised() ?? '', /none has been stored for 5 min/);
  Object.assign(site, { stored: 7, behind: 0, fetched: segment(7) });
  await pass(20);
  assert.match(raised() ?? '', /handed over no WAL for 5 min: what base backups need of it/);
  Object.assign(site, { behind: 1 });
  await pass(stalledSeconds);
  assert.match(raised() ?? '', /handed over no WAL for 10 min/);
  site.fetched = undefined;
  await pass(20);
  assert.equal(raised(), undefined);
  await watch.close();
});

test('a segment that got lost in the store and was fetched again on an idle server is nothing that was not handed over', async () => {
  const { site, pass, raised, watch } = bench();
  site.fetched = segment(5);
  await pass(2 * stalledSeconds);
  assert.equal(raised(), undefined);
  await watch.close();
});

test('a failover does not hide that nothing has been handed over since before it, and what comes of the old timeline ends nothing', async () => {
  const { site, pass, raised, watch } = bench();
  site.behind = 2;
  await pass(stalledSeconds + 10);
  assert.match(raised() ?? '', /none has been stored for 5 min/);
  Object.assign(site, { isOnNewTimeline: true });
  await pass(10);
  assert.match(raised() ?? '', /the server is on timeline 2, for 5 min now/);
  site.stored = 7;
  await pass(stalledSeconds);
  assert.match(raised() ?? '', /the server is on timeline 2, for 10 min now/);
  Object.assign(site, { isOnNewTimeline: false, behind: 0 });
  await pass(10);
  assert.equal(raised(), undefined);
  await watch.close();
});
