import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SiteHealth } from '../health/site-health.ts';
import { type SiteState, siteSamples, uploadAgeSamples } from './site-samples.ts';

const at = new Date('2026-11-22T12:00:00Z');
const ago = (seconds: number) => new Date(at.getTime() - seconds * 1000);

const unknown: SiteHealth = {
  site: 'main',
  at,
  verdict: { is: 'unknown', because: [] },
  restorable: { is: false, state: 'unknown', because: '' },
  walLag: { because: '' },
  backups: { failures: 0 },
  jobs: [],
  alerts: [],
  next: [],
  spool: { because: '' },
  verification: { findings: [], findingsCount: 0 },
  store: { because: '' },
};

const well: SiteHealth = {
  ...unknown,
  verdict: { is: 'ok', because: [] },
  restorable: { is: true, state: 'yes', from: ago(3600), until: ago(2), untilSecondsAgo: 2, because: '' },
  walLag: { bytes: 4096, seconds: 3, because: '' },
  backups: {
    failures: 1,
    count: 3,
    restorable: 2,
    unreadable: 0,
    bytes: 3000,
    newest: { name: 'x', from: ago(100), bytes: 1000, secondsAgo: 90 },
  },
  jobs: [{ kind: 'basebackup', phase: 'copying', startedAt: ago(5), elapsedSeconds: 5, bytesDone: 0 }],
  alerts: [{ name: 'wal_gap', because: '' }],
  spool: { files: 2, bytes: 200 },
  store: { reachable: true, because: '' },
};

const loop = { retentionPostponed: undefined, backupActivity: undefined } as SiteState['loop'];

function samplesOf(state: Partial<SiteState>): Record<string, number> {
  const samples = siteSamples(
    { name: 'main', health: unknown, loop, receiver: undefined, gaps: undefined, servers: { nodes: [] }, verified: undefined, ...state },
    at,
  );
  for (const { tags } of samples) assert.equal(tags?.['site'], 'main');
  return Object.fromEntries(
    samples.map(({ name, value, tags }) => [
      [name.slice('pghoard.'.length), ...Object.values(tags ?? {}).filter((tag) => tag !== 'main')].join(' '),
      value,
    ]),
  );
}

const verdicts = (is: string) =>
  Object.fromEntries(['ok', 'attention', 'failure', 'unknown', 'inactive'].map((each) => [`verdict ${each}`, Number(each === is)]));
const stalled = (seconds: number) => ({
  'seconds_since_backup_progress_stalled starting': 0,
  'seconds_since_backup_progress_stalled copying': seconds,
  'seconds_since_backup_progress_stalled finishing': 0,
});

function withoutAlerts(samples: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(samples).filter(([name]) => !name.startsWith('alert ')));
}

test('what is not known is not told, but that a site is not certainly restorable', () => {
  assert.deepEqual(withoutAlerts(samplesOf({})), {
    restorable: 0,
    basebackup_failures_in_a_row: 0,
    basebackup_running: 0,
    retention_postponed: 0,
    ...verdicts('unknown'),
    ...stalled(0),
  });
});

test('everything that is known is told', () => {
  const samples = samplesOf({
    health: well,
    loop: {
      ...loop,
      retentionPostponed: 'why',
      backupActivity: { running: true, latestActivity: ago(40), progress: { phase: 'copying', bytesDone: 1, filesDone: 1 } },
    },
    receiver: { status: { running: false } } as NonNullable<SiteState['receiver']>,
    servers: {
      nodes: [
        { index: 0, label: 'db1', sample: undefined, obstacle: undefined },
        { index: 1, label: 'db2', sample: undefined, obstacle: 'gone' },
      ],
    },
  });
  assert.deepEqual(withoutAlerts(samples), {
    restorable: 1,
    newest_restorable_age_seconds: 2,
    oldest_restorable_age_seconds: 3600,
    wal_lag_bytes: 4096,
    wal_lag_seconds: 3,
    basebackups: 3,
    basebackups_restorable: 2,
    basebackups_unreadable: 0,
    basebackups_size_bytes: 3000,
    newest_basebackup_age_seconds: 90,
    newest_basebackup_size_bytes: 1000,
    basebackup_failures_in_a_row: 1,
    basebackup_running: 1,
    spool_bytes: 200,
    spool_files: 2,
    store_reachable: 1,
    retention_postponed: 1,
    wal_receiver_running: 0,
    'server_reachable db1': 1,
    'server_reachable db2': 0,
    ...verdicts('ok'),
    ...stalled(40),
  });
  assert.deepEqual([samples['alert wal_gap'], samples['alert store_denied']], [1, 0], 'those that are not raised, too');
});

test('a pause of some seconds is no standstill', () => {
  const backupActivity = { running: true, latestActivity: ago(9), progress: { phase: 'copying', bytesDone: 1, filesDone: 1 } } as const;
  assert.equal(samplesOf({ loop: { ...loop, backupActivity } })['seconds_since_backup_progress_stalled copying'], 0);
});

test('ages of uploads are by the wall clock, of sites that are there, and never less than nothing', () => {
  const counters = { data: 0, count: 0, time_taken: 0, failures: 0, xlogs_since_basebackup: 0 };
  const epoch = (seconds: number) => ago(seconds).getTime() / 1000;
  const upload = {
    xlog: { ...counters, last_success: epoch(7) },
    timeline: { ...counters, last_success: epoch(-60) },
    basebackup: { ...counters, last_success: null },
  };
  assert.deepEqual(uploadAgeSamples({ main: { upload }, gone: { upload } }, new Set(['main']), at), [
    { name: 'pghoard.last_upload_age', value: 7, tags: { site: 'main', type: 'xlog' } },
    { name: 'pghoard.last_upload_age', value: 0, tags: { site: 'main', type: 'timeline' } },
  ]);
});
