import assert from 'node:assert/strict';
import { test } from 'node:test';
import { normalizedBackupTime } from './schedule.ts';

const cases: readonly [string, number, number, number, string, string][] = [
  ['a day, after the hour', 24, 13, 10, '2023-05-07T15:20:30Z', '2023-05-07T13:10:00+00:00'],
  ['an hour and a half', 1.5, 13, 10, '2023-05-07T15:20:30Z', '2023-05-07T14:40:00+00:00'],
  ['an hour and a half, an hour later', 1.5, 13, 10, '2023-05-07T16:20:30Z', '2023-05-07T16:10:00+00:00'],
  ['before the hour it is still yesterday', 24, 13, 50, '2023-05-07T13:45:00Z', '2023-05-06T13:50:00+00:00'],
  ['exactly at the hour', 24, 13, 10, '2023-05-07T13:10:00Z', '2023-05-07T13:10:00+00:00'],
  ['a week', 168, 0, 0, '2023-05-07T13:10:00Z', '2023-05-07T00:00:00+00:00'],
];

for (const [what, intervalHours, hour, minute, now, expected] of cases) {
  test(`normalized backup time: ${what}`, () => {
    assert.equal(normalizedBackupTime({ intervalHours, hour, minute }, new Date(now)), expected);
  });
}

test('without an hour, an interval, or with an impossible interval there is no normalized time', () => {
  const now = new Date('2023-05-07T13:10:00Z');
  assert.equal(normalizedBackupTime({ intervalHours: 24, hour: undefined, minute: undefined }, now), undefined);
  assert.equal(normalizedBackupTime({ intervalHours: null, hour: 1, minute: 1 }, now), undefined);
  assert.equal(normalizedBackupTime({ intervalHours: 0, hour: 1, minute: 1 }, now), undefined);
});
