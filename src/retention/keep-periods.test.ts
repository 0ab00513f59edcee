import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keptByPeriod } from './keep-periods.ts';

const none = { daily: 0, weekly: 0, monthly: 0, yearly: 0 };
const at = (...moments: readonly string[]) => moments.map((moment, index) => ({ name: String(index), time: new Date(moment) }));
const labels = (moments: readonly string[], rule: object, timeZone = 'UTC') =>
  [...keptByPeriod(at(...moments), { ...none, ...rule }, timeZone)].map(([name, periods]) => `${name}: ${periods.join(', ')}`).toSorted();

test('weeks are those of ISO 8601, also around the turn of a year', () => {
  const moments = ['2024-12-29T12:00:00Z', '2024-12-30T12:00:00Z', '2026-12-31T12:00:00Z', '2027-01-03T12:00:00Z', '2027-01-04T00:00:00Z'];
  assert.deepEqual(labels(moments, { weekly: 9 }), [
    '0: weekly 2024-W52',
    '1: weekly 2025-W01',
    '3: weekly 2026-W53',
    '4: weekly 2027-W01',
  ]);
});

test('the last of each period is kept, of so many periods that have any', () => {
  const moments = ['2026-01-31T00:00:00Z', '2026-03-01T00:00:00Z', '2026-03-01T10:00:00Z', '2026-11-30T23:59:59Z'];
  assert.deepEqual(labels(moments, { monthly: 2 }), ['2: monthly 2026-03', '3: monthly 2026-11']);
  assert.deepEqual(labels(moments, { daily: 1, yearly: 3 }), ['3: daily 2026-11-30, yearly 2026']);
});

test('days begin at midnight of the time zone, also where clocks change', () => {
  const moments = ['2026-10-24T20:59:00Z', '2026-10-24T21:00:00Z', '2026-10-25T21:59:00Z', '2026-10-25T22:00:00Z'];
  assert.deepEqual(labels(moments, { daily: 9 }, 'Europe/Helsinki'), ['0: daily 2026-10-24', '2: daily 2026-10-25', '3: daily 2026-10-26']);
});
