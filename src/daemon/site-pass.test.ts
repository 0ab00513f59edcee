import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BasebackupListing } from '../catalog/catalog.ts';
import type { SiteConfig } from '../config/load.ts';
import { systemClock } from '../lib/clock.ts';
import { silentLog } from '../lib/log.ts';
import type { UsableNode } from './servers/troubles.ts';
import { SitePass, type SitePassDeps } from './site-pass.ts';

const signal = new AbortController().signal;
const empty: BasebackupListing = { entries: [], unreadable: [] };

interface Bench {
  readonly whileListing?: (backups: { isRunning: boolean }) => void;
  readonly ownership?: SitePassDeps['ownership'];
}

/** A site without a base backup, so that one is due, and what a pass over it does. */
function bench({ whileListing = () => {}, ownership = { hindrance: undefined, isHeld: true, standing: 'held' } }: Bench = {}) {
  const done: string[] = [];
  const backups = {
    isRunning: false,
    failures: { failures: 0, lastFailure: undefined },
    roomObstacle: async () => undefined,
    begin: () => void done.push('a base backup is begun'),
    standDown: () => void done.push('what failed is forgotten'),
  };
  const primary = { index: 0, label: 'p', sample: { role: 'primary', timeline: 1 } } as UsableNode;
  const site = {
    name: 'site',
    active: true,
    nodes: [{}],
    basebackup_mode: 'stream',
    basebackup_from: 'primary',
    basebackup_interval_hours: 24,
    basebackup_standby_lag_seconds_max: null,
  } as unknown as SiteConfig;
  const refresh = async () => {
    whileListing(backups);
    return { own: empty, elsewhere: [] };
  };
  const deps: SitePassDeps = {
    site,
    parts: {
      clock: systemClock,
      log: silentLog,
      jobs: { run: (_, end, work) => work(end, () => {}) },
      config: { maintenance_mode_file: '/nonexistent/maintenance' },
    },
    cluster: { obstacle: undefined, readDataDirectory: async () => {} },
    admission: { obstacle: undefined, check: async () => {} },
    ownership,
    servers: { nodes: [primary], usable: [primary], leader: primary, lagSeconds: new Map() },
    requested: { isWanted: false, lookFor: async () => {} },
    names: { note: async () => {} },
    walObstacle: () => undefined,
    listing: { current: empty, refresh, outdate: () => () => true, deleted: () => {} },
    backups,
    retention: {
      isWaitingForWal: false,
      run: async () => {
        done.push('retention');
        return { basebackups: [], walFiles: 0 };
      },
      standDown: async () => {},
    },
    lastWal: { look: () => {} },
  };
  const pass = new SitePass(deps, '');
  const run = () => pass.run(signal, () => {});
  return { pass, run, backups, done };
}

test('a pass deletes what is no longer needed, and begins a base backup that is due', async () => {
  const { run, done } = bench();
  await run();
  assert.deepEqual(done, ['retention', 'a base backup is begun']);
});

test('a base backup that becomes complete while the store is listed is not taken once more: the list may have been past it', async () => {
  const { run, backups, done } = bench({ whileListing: (running) => (running.isRunning = false) });
  backups.isRunning = true;
  await run();
  assert.deepEqual(done, []);
  await run();
  assert.deepEqual(done, ['retention', 'a base backup is begun']);
});

test('who leaves the site to another daemon forgets that its base backups failed: those of the other one count now', async () => {
  const { run, done } = bench({ ownership: { hindrance: 'another one does it', isHeld: false, standing: 'elsewhere' } });
  await run();
  assert.deepEqual(done, ['what failed is forgotten']);
});

test('where the site cannot be looked at, that is why nothing is done', async () => {
  const { pass, run } = bench({
    whileListing: () => {
      throw new Error('the store is away');
    },
  });
  await assert.rejects(run(), /away/);
  assert.equal(pass.because, 'the site cannot be looked at: the store is away');
});
