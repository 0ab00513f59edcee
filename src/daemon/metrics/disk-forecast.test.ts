import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type DiskSample, forecastSecondsMax, secondsUntilFull } from './disk-forecast.ts';

const gib = 2 ** 30;

/** A sample each ten seconds. */
function every10s(free: (seconds: number) => number, count: number): DiskSample[] {
  return Array.from({ length: count }, (_, i) => ({ atMs: 5e12 + i * 10_000, freeBytes: free(i * 10) }));
}

const cases: readonly (readonly [what: string, samples: readonly DiskSample[], seconds: number])[] = [
  ['nothing is known', [], forecastSecondsMax],
  ['one sample tells no direction', every10s(() => gib, 1), forecastSecondsMax],
  ['too short a time tells none', every10s((s) => gib - s * 1e6, 6), forecastSecondsMax],
  ['too few samples tell none', [0, 600].map((s) => ({ atMs: s * 1000, freeBytes: gib - s * 1e6 })), forecastSecondsMax],
  ['it stays as it is', every10s(() => gib, 30), forecastSecondsMax],
  ['it becomes emptier', every10s((s) => gib + s * 1e6, 30), forecastSecondsMax],
  ['it fills by 1 MB a second and has 710 MB', every10s((s) => 1000e6 - s * 1e6, 30), 710],
  ['a huge disk, filling by a page a second', every10s((s) => 2 ** 50 - s * 8192, 180), forecastSecondsMax],
  ['a huge disk, filling by 1 GiB a second', every10s((s) => 2 ** 50 - s * gib, 180), 2 ** 20 - 1790],
  ['it is full', every10s((s) => Math.max(0, 100 - s), 30), 0],
];
for (const [what, samples, seconds] of cases) {
  test(`disk: ${what}`, () =>
    assert.ok(Math.abs(secondsUntilFull(samples) - seconds) <= seconds * 1e-6, String(secondsUntilFull(samples))));
}

test('a saw of files that come and go hides no trend', () => {
  const samples = every10s((s) => 2000e6 - s * 1e6 + (s % 30) * 5e6, 180);
  const expected = (samples.at(-1)?.freeBytes ?? 0) / 1e6;
  assert.ok(Math.abs(secondsUntilFull(samples) - expected) < expected * 0.05);
});
