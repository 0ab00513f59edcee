import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Progress } from './progress.ts';

class Ticks {
  ms = 0;
  readonly clock = { now: () => new Date(0), monotonicMs: () => this.ms, sleep: async () => {} };
}

test('rate and remaining time follow the last ten seconds', () => {
  const ticks = new Ticks();
  const progress = new Progress({ totalBytes: 10_000, clock: ticks.clock });
  const run = (seconds: number, bytesPerSecond: number) => {
    for (let i = 0; i < seconds; i++) {
      ticks.ms += 1_000;
      progress.add(bytesPerSecond);
    }
  };
  run(20, 100);
  assert.deepEqual(progress.report(), { bytes: 2_000, totalBytes: 10_000, bytesPerSecond: 100, secondsRemaining: 80 });
  run(10, 400);
  assert.deepEqual(progress.report(), { bytes: 6_000, totalBytes: 10_000, bytesPerSecond: 400, secondsRemaining: 10 });
  assert.equal(progress.elapsedSeconds(), 30);
});

test('what stands still slows down and then has no remaining time', () => {
  const ticks = new Ticks();
  const progress = new Progress({ totalBytes: 1_000, clock: ticks.clock });
  ticks.ms = 1_000;
  progress.add(500);
  ticks.ms = 6_000;
  assert.ok(progress.report().bytesPerSecond < 100);
  ticks.ms = 60_000;
  assert.deepEqual(progress.report(), { bytes: 500, totalBytes: 1_000, bytesPerSecond: 0 });
});

test('without a total nothing is foretold, and nothing divides by zero at the start', () => {
  const ticks = new Ticks();
  const progress = new Progress({ clock: ticks.clock });
  progress.add(5);
  assert.deepEqual(progress.report(), { bytes: 5, bytesPerSecond: 0 });
  progress.totalBytes = 10;
  assert.equal(progress.report().totalBytes, 10);
});

test('many small steps do not pile up', () => {
  const ticks = new Ticks();
  const progress = new Progress({ clock: ticks.clock });
  for (let i = 0; i < 100_000; i++) {
    ticks.ms += 1;
    progress.add(1);
  }
  assert.ok(Math.abs(progress.report().bytesPerSecond - 1_000) < 60);
});
