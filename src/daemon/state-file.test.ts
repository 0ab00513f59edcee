import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BasebackupEntry } from '../catalog/basebackup-entry.ts';
import { parseBasebackupEntry } from '../catalog/basebackup-entry.ts';
import { type DaemonState, describeState, previousFlushed, previousTransfers } from './state-file.ts';

const nothing: DaemonState = {
  startupTime: new Date('2016-06-23T14:53:25.840Z'),
  version: '3.0.0',
  sites: [],
  compressionQueue: 0,
  transferQueue: 0,
  transfers: {},
  sealing: {},
  compressionThreads: 3,
  servedFiles: { snapshot: () => ({}) },
  alerts: { active: [], view: { channels: [], files: null } },
  heartbeats: {},
  process: { pid: 1, memoryBytes: 0, heapBytes: 0, openFiles: undefined, threads: undefined, resources: {} },
};

function siteWith(
  entries: readonly BasebackupEntry[],
  hour?: number,
  preserved: ReadonlyMap<string, Date> = new Map(),
): DaemonState['sites'][number] {
  const schedule = { intervalHours: 24, hour, minute: hour === undefined ? undefined : 0, timeZone: 'UTC' };
  return {
    name: 'main',
    loop: {
      listing: { entries, unreadable: [] },
      because: 'idle',
      dueAt: undefined,
      requestedSince: undefined,
      backupActivity: undefined,
      retentionPostponed: undefined,
      preserved,
      schedule,
    },
  };
}

const oldBackup = parseBasebackupEntry({
  key: 'main/basebackup/2016-06-23_0',
  size: 7,
  lastModified: new Date('2016-06-23T12:00:01Z'),
  metadata: { 'start-time': '2016-06-23T12:00:00+00:00', 'start-wal-segment': '000000010000000000000002' },
});

test('a daemon that has done nothing writes all the keys that the original does', () => {
  const { pghoard, ...state } = describeState(nothing);
  assert.deepEqual(state, {
    startup_time: '2016-06-23T14:53:25.840',
    backup_sites: {},
    walreceivers: {},
    pg_receivexlogs: {},
    pg_basebackups: {},
    compressors: [{}, {}, {}],
    queues: { compression_queue: 0, transfer_queue: 0 },
    transfer_agent_state: {},
    served_files: {},
  });
  assert(pghoard, 'what is only ours has a place of its own');
});

test('a base backup has what it was stored with, and what old versions did not store', () => {
  const { backup_sites: sites } = describeState({ ...nothing, sites: [siteWith([oldBackup])] });
  assert.deepEqual(sites, {
    main: {
      basebackups: [
        {
          name: '2016-06-23_0',
          size: 7,
          last_modified: new Date('2016-06-23T12:00:01Z'),
          metadata: {
            'start-time': oldBackup.startTime,
            'start-wal-segment': '000000010000000000000002',
            'backup-decision-time': oldBackup.startTime,
            'backup-reason': 'scheduled',
            'normalized-backup-time': null,
            'preserve-until': null,
          },
        },
      ],
    },
  });
});

test('the scheduled moment that an old base backup belongs to comes from the schedule', () => {
  const state = JSON.stringify(describeState({ ...nothing, sites: [siteWith([oldBackup], 11)] }));
  assert.match(state, /"normalized-backup-time":"2016-06-23T11:00:00\+00:00"/);
});

test('until when a base backup is preserved is told', () => {
  const until = new Date('2030-01-01T00:00:00Z');
  const state = JSON.stringify(describeState({ ...nothing, sites: [siteWith([oldBackup], 11, new Map([['2016-06-23_0', until]]))] }));
  assert.match(state, /"preserve-until":"2030-01-01T00:00:00.000Z"/);
});

test('why retention leaves something is told', () => {
  const site = siteWith([]);
  const state = JSON.stringify(
    describeState({ ...nothing, sites: [{ ...site, loop: { ...site.loop, retentionPostponed: 'locked until 2030' } }] }),
  );
  assert.match(state, /"retention_postponed":"locked until 2030"/);
});

const statistics = { main: { upload: {} } };
const lives: [what: string, state: Record<string, unknown> | undefined, transfers: unknown][] = [
  ['none', undefined, undefined],
  ['an empty one', {}, undefined],
  ['a newer version', { transfer_agent_state: statistics }, statistics],
  ['1.4.0, with one copy per thread', { transfer_agents: [statistics, statistics] }, statistics],
  ['a damaged one', { transfer_agents: 'x' }, undefined],
];
for (const [what, state, transfers] of lives) {
  test(`transfer statistics are found in the state file of ${what}`, () => {
    assert.deepEqual(previousTransfers(state), transfers);
  });
}

for (const [mode, own, other] of [
  ['pg_receivexlog', 'pg_receivexlogs', 'walreceivers'],
  ['walreceiver', 'walreceivers', 'pg_receivexlogs'],
] as const) {
  test(`a ${mode} is described where the original had it, with its reasons in a place of ours`, () => {
    const latestActivity = new Date('2016-06-23T12:00:00Z');
    const reasons = { because: 'receiving', waiting: [], rejected: ['000000010000000000000003'] };
    const receiver = { status: { mode, running: true, latestActivity, lastFlushed: 0x3000000n, ...reasons } };
    const sites = [
      { ...siteWith([]), receiver },
      { ...siteWith([]), name: 'other' },
    ];
    const state = describeState({ ...nothing, sites });
    const flushed = mode === 'walreceiver' ? { last_flushed_lsn: 0x3000000 } : {};
    assert.deepEqual([state[own], state[other]], [{ main: { latest_activity: latestActivity, running: true, ...flushed } }, {}]);
    assert.deepEqual((state['pghoard'] as Record<string, unknown>)['wal_receivers'], { main: reasons });
  });
}

for (const [what, state, expected] of [
  ['of the original', { walreceivers: { main: { last_flushed_lsn: 50331648 } } }, { lsn: 0x3000000n, byOriginal: true }],
  ['of ours', { walreceivers: { main: { last_flushed_lsn: 50331648 } }, pghoard: {} }, { lsn: 0x3000000n, byOriginal: false }],
  ['that flushed nothing', { walreceivers: { main: { last_flushed_lsn: null } } }, undefined],
  ['of something else', { walreceivers: { main: { last_flushed_lsn: -1.5 } } }, undefined],
  ['of another site', { walreceivers: { other: { last_flushed_lsn: 50331648 } } }, undefined],
  ['without receivers', { walreceivers: null }, undefined],
  ['that is not there', undefined, undefined],
] as const) {
  test(`how far WAL was received, from a state file ${what}`, () => assert.deepEqual(previousFlushed(state, 'main'), expected));
}
