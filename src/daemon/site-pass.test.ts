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

/** A site without a base backup, so that one is due, and what a pass over it does. */
function bench({ whileListing = () => {} }: { readonly whileListing?: (backups: { isRunning: boolean }) => void } = {}) {
  const done: string[] = [];
  const backups = {
    isRunning: false,
    failures: { failures: 0, lastFailure: undefined },
    roomObstacle: async () => undefined,
    begin: () => void done.push('a base backup is begun'),
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
    ownership: { hindrance: undefined, isHeld: true, standing: 'held' },
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
  const run = () => new SitePass(deps, '').run(signal, () => {});
  return { run, backups, done };
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
