import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RecordedMetrics } from '../../../test/support/recorded-metrics.ts';
import type { BasebackupMode, BasebackupProgress } from '../../basebackup/job.ts';
import { OperatorError } from '../../lib/errors.ts';
import { BasebackupMetrics } from './basebackup-metrics.ts';

function begin(mode: BasebackupMode) {
  const metrics = new RecordedMetrics();
  let ms = 5_000;
  const clock = { now: () => new Date(0), monotonicMs: () => ms, sleep: async () => {} };
  const measured = new BasebackupMetrics({ metrics, clock, site: 'main', mode });
  assert.deepEqual(metrics.taken(), ['pghoard.backup_stream.basebackup_requested{site=main} 1']);
  const progressed = (afterMs: number, bytesDone: number, bytesTotal?: number) => {
    ms += afterMs;
    const progress: BasebackupProgress = { phase: 'copying', bytesDone, bytesTotal, filesDone: 0 };
    measured.progressed(progress);
    return metrics.taken();
  };
  return { measured, metrics, progressed };
}

test('progress is told as bytes at once, as a part of the whole once a second, and whole when it is complete', () => {
  const { measured, metrics, progressed } = begin('delta');
  const bytes = (by: number) => `pghoard.basebackup_bytes_uploaded{delta=True,site=main} +${by}`;
  const percent = (value: number) => `pghoard.basebackup_estimated_progress{site=main} ${value}`;
  assert.deepEqual(progressed(0, 0), []);
  assert.deepEqual(progressed(100, 25, 200), [bytes(25), percent(12.5)]);
  assert.deepEqual(progressed(100, 50, 200), [bytes(25)]);
  assert.deepEqual(progressed(900, 100, 200), [bytes(50), percent(50)]);
  assert.deepEqual(progressed(1000, 100, 200), [percent(50)]);
  assert.deepEqual(progressed(1000, 400, 200), [bytes(300), percent(99)], 'the estimate was too small');
  measured.completed();
  assert.deepEqual(metrics.taken(), [
    percent(100),
    'pghoard.basebackup_completed{site=main} +1',
    'pghoard.backup_time{basebackup_mode=delta,site=main} 3.1',
  ]);
});

test('where nobody knows how much it will be, no part of it is told', () => {
  const { measured, metrics, progressed } = begin('pipe');
  assert.deepEqual(progressed(100, 25), ['pghoard.basebackup_bytes_uploaded{delta=False,site=main} +25']);
  measured.completed();
  assert.equal(metrics.taken()[0], 'pghoard.basebackup_completed{site=main} +1');
});

test('a failure is counted by its code', () => {
  const { measured, metrics } = begin('basic');
  measured.failed(new OperatorError('disk-full', 'no room'));
  assert.deepEqual(metrics.taken(), [
    'pghoard.basebackup_failed{site=main} +1',
    'pghoard.exception{exception=disk-full,where=PGBaseBackup} +1',
  ]);
});
