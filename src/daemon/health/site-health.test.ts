import assert from 'node:assert/strict';
import { test } from 'node:test';
import { at, type MadeBackup, viewOf } from '../../../test/support/health-view.ts';
import { siteHealth } from './site-health.ts';

const morning: MadeBackup = { start: 2, end: 3, from: '08:00:00', to: '08:10:00' };

test('what is not known yet is unknown, and says why', () => {
  const view = viewOf({ backups: [morning], stored: ['1:2-5'], samples: ['12:00:09 1@6'] });
  const unlisted = siteHealth({ ...view, backups: { ...view.backups, listing: undefined } });
  assert.match(unlisted.restorable.because, /have not been listed yet/);
  assert.deepEqual([unlisted.restorable.state, unlisted.backups.count, unlisted.verdict.is], ['unknown', undefined, 'unknown']);
  assert(view.wal);
  const wal = { ...view.wal, archive: 'the store has not been listed yet', gaps: undefined };
  const unsurveyed = siteHealth({ ...view, wal });
  assert.equal(unsurveyed.restorable.because, 'it is not known which WAL is stored: the store has not been listed yet');
  assert.deepEqual([unsurveyed.restorable.state, unsurveyed.walLag.bytes], ['unknown', undefined]);
  const unasked = siteHealth({ ...view, store: { lastSuccess: undefined, lastFailure: undefined } });
  assert.deepEqual(unasked.store, { because: 'the store has not been asked yet' });
});

test('ages do not follow a clock that is set', () => {
  const view = viewOf({ backups: [morning], stored: ['1:2-5'], samples: ['11:00:00 1@6'] });
  for (const now of [at('11:00:09'), at('23:00:00'), at('02:00:00')]) {
    assert.equal(siteHealth({ ...view, now }).restorable.untilSecondsAgo, 4, 'a second since it was asked, three to be sure');
  }
});

test('base backups that failed are not counted, but told (fault row 96)', () => {
  const view = viewOf({ backups: [morning], stored: ['1:2-5'], samples: ['12:00:09 1@6'] });
  const health = siteHealth({ ...view, backups: { ...view.backups, failures: 3 } });
  assert.deepEqual([health.backups.count, health.backups.restorable, health.backups.failures], [1, 1, 3]);
  assert.deepEqual(health.verdict, { is: 'attention', because: ['base backups failed 3 times since the last success'] });
});

test('a store that does not answer is a worry until it does', () => {
  const view = viewOf({ backups: [morning], stored: ['1:2-5'], samples: ['12:00:09 1@6'] });
  const lastFailure = { at: at('12:00:05'), msAgo: 500, because: 'store-unreachable' };
  const away = siteHealth({ ...view, store: { ...view.store, lastFailure } });
  assert.equal(away.store.reachable, false);
  assert.deepEqual(away.verdict, {
    is: 'attention',
    because: ['no request to the store has succeeded since 2026-11-30T12:00:09.000Z: store-unreachable'],
  });
  const back = siteHealth({ ...view, store: { ...view.store, lastFailure: { ...lastFailure, msAgo: 2000 } } });
  assert.deepEqual([back.store.reachable, back.verdict.is], [true, 'ok']);
});

test('a running base backup tells how far it is, and when it will end if it goes on so', () => {
  const view = viewOf({});
  const progress = { phase: 'copying', bytesDone: 250, bytesTotal: 1000, filesDone: 3 } as const;
  const running = { startedAt: at('11:59:00'), elapsedMs: 70_000, progress };
  const [job] = siteHealth({ ...view, backups: { ...view.backups, running } }).jobs;
  assert.deepEqual(job, {
    kind: 'basebackup',
    phase: 'copying',
    startedAt: at('11:59:00'),
    elapsedSeconds: 70,
    bytesDone: 250,
    bytesTotal: 1000,
    endsAt: at('12:03:40'),
  });
  const grown = { ...running, progress: { ...progress, bytesDone: 1200 } };
  const [late] = siteHealth({ ...view, backups: { ...view.backups, running: grown } }).jobs;
  assert.deepEqual(
    [late?.bytesTotal, late?.endsAt],
    [1200, undefined],
    'an estimate that was too low, or all is read: what is left is to be stored',
  );
  const [young] = siteHealth({ ...view, backups: { ...view.backups, running: { ...running, elapsedMs: 100 } } }).jobs;
  assert.equal(young?.endsAt, undefined, 'too early to tell');
});
