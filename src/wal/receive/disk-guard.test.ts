import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freeBytesOf, guardStep } from './disk-guard.ts';

const guard = { min_disk_free_bytes: 1000, resume_multiplier: 1.5, disk_space_check_interval: 10 };

for (const [isPaused, free, expected] of [
  [false, 1000, 'stay'],
  [false, 999, 'pause'],
  [true, 999, 'stay'],
  [true, 1000, 'stay'],
  [true, 1499, 'stay'],
  [true, 1500, 'resume'],
] as const) {
  test(`${isPaused ? 'paused' : 'receiving'} with ${free} bytes free: ${expected}`, () => {
    assert.equal(guardStep(isPaused, free, guard), expected);
  });
}

test('without a limit nothing pauses, and what was paused goes on', () => {
  for (const min_disk_free_bytes of [null, 0]) {
    assert.equal(guardStep(false, 0, { ...guard, min_disk_free_bytes }), 'stay');
    assert.equal(guardStep(true, 0, { ...guard, min_disk_free_bytes }), 'resume');
  }
});

test('free space is asked of the file system', async () => {
  assert.ok((await freeBytesOf('/tmp')) > 0);
});
