import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimulatedClock } from '../../test/support/simulated-clock.ts';
import { makeStoredSite } from '../../test/support/stored-site.ts';
import { type Log, silentLog } from '../lib/log.ts';
import { formatWalName } from '../postgres/wal-name.ts';
import { MemoryStore } from '../storage/memory/driver.ts';
import { ArchiveMap } from '../wal/gaps/archive-map.ts';
import { ArchiveWatch } from '../wal/gaps/archive-watch.ts';
import { SiteListing } from './site-listing.ts';
import { WalGaps, type WalGapsDeps } from './wal-gaps.ts';

const segmentBytes = 16 * 1024 * 1024;
const segment = (number: number) => formatWalName({ timeline: 1, number: BigInt(number) }, segmentBytes);
const never = new AbortController().signal;
const backups = { '2026-11-20_0': segment(2), '2026-11-21_0': segment(5) };
const passMs = 5_000;

/** What a daemon that has just listed the base backups makes of the WAL. */
async function bench() {
  const clock = new SimulatedClock();
  const catalog = await makeStoredSite(backups, [2, 3, 4, 5, 6, 7, 8].map(segment), new MemoryStore());
  const told: string[] = [];
  const hear = (_: object, message: string) => void told.push(message);
  const log: Log = { ...silentLog, info: hear, warn: hear, error: hear };
  const listing = new SiteListing({ catalog, relatives: async () => [catalog], clock });
  await listing.refresh(never);
  const end = new AbortController();
  const map = new ArchiveMap({
    relatives: async () => [catalog],
    segmentBytes: () => segmentBytes,
    readHistory: async () => undefined,
    signal: end.signal,
  });
  const alerts = { raise: async (name: string) => void told.push(name), clear: async () => {} };
  const jobs = { run: async (_: object, signal: AbortSignal, work: (signal: AbortSignal) => Promise<unknown>) => work(signal) };
  const watch = new ArchiveWatch({
    site: 'site',
    map,
    archivingDirectory: undefined,
    partSeconds: 300,
    written: () => undefined,
    clock,
    log,
    signal: end.signal,
  });
  const gaps = new WalGaps({
    parts: { alerts, clock, jobs, log } as unknown as WalGapsDeps['parts'],
    site: { name: 'site', basebackup_interval_hours: null, basebackup_after_wal_gap: true },
    loop: {
      get listing() {
        return listing.current;
      },
      get isListingOld() {
        return listing.isOld;
      },
      listAgain: () => listing.outdate(),
      keptAlone: new Set(),
      requestBasebackup: async () => {},
      backupActivity: undefined,
    },
    map,
    watch,
    mending: { nodes: [], dataDirectory: null } as unknown as WalGapsDeps['mending'],
    here: async () => [],
    rejected: () => [],
    mayAct: () => false,
    end,
  });
  const loop = async () => {
    while (!end.signal.aborted) {
      await listing.refresh(never);
      await clock.sleep(passMs, end.signal).catch(() => {});
    }
  };
  const live = async (seconds: number) => {
    gaps.start();
    const looping = loop();
    await clock.run(clock.sleep(seconds * 1000));
    await gaps.stop();
    await looping;
  };
  const remove = async (...keys: readonly string[]) => {
    for (const key of keys) await catalog.store.delete(key);
  };
  return { catalog, told, remove, live };
}

test('WAL that another daemon has deleted with the base backup that needed it is not missing', async () => {
  const { catalog, told, remove, live } = await bench();
  await remove(catalog.keys.basebackupMain('2026-11-20_0'), catalog.keys.basebackup('2026-11-20_0'));
  await remove(...[2, 3, 4].map((number) => catalog.walKey(segment(number))));
  await live(60);
  assert.deepEqual(told, []);
});

test('WAL that a base backup needs which is still there is, and that is told soon', async () => {
  const { catalog, told, remove, live } = await bench();
  await remove(catalog.walKey(segment(3)), catalog.walKey(segment(6)));
  await live(15);
  const words = (number: number) => `WAL segment ${segment(number)} is missing`;
  assert.deepEqual(told, [words(3), words(6), 'wal_gap']);
});
