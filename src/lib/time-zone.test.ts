import assert from 'node:assert/strict';
import { test } from 'node:test';
import { instantOf, isTimeZone, wallClock } from './time-zone.ts';

const cases: readonly [string, string, string, string][] = [
  ['Greenwich', 'UTC', '2026-03-29T02:30:00Z', '2026-03-29T02:30:00.000Z'],
  ['winter', 'Europe/Helsinki', '2026-01-15T03:00:00Z', '2026-01-15T01:00:00.000Z'],
  ['summer', 'Europe/Helsinki', '2026-07-15T03:00:00Z', '2026-07-15T00:00:00.000Z'],
  ['half an hour off', 'Asia/Kolkata', '2026-07-15T05:30:00Z', '2026-07-15T00:00:00.000Z'],
  ['in the gap of spring: as much later', 'Europe/Berlin', '2026-03-29T02:30:00Z', '2026-03-29T01:30:00.000Z'],
  ['at the beginning of the gap', 'Europe/Berlin', '2026-03-29T02:00:00Z', '2026-03-29T01:00:00.000Z'],
  ['behind the gap', 'Europe/Berlin', '2026-03-29T03:00:00Z', '2026-03-29T01:00:00.000Z'],
  ['twice in autumn: the first time', 'Europe/Berlin', '2026-10-25T02:30:00Z', '2026-10-25T00:30:00.000Z'],
  ['after that', 'Europe/Berlin', '2026-10-25T03:00:00Z', '2026-10-25T02:00:00.000Z'],
  ['twice in autumn, west of Greenwich', 'America/New_York', '2026-11-01T01:30:00Z', '2026-11-01T05:30:00.000Z'],
  ['in the gap of spring, west of Greenwich', 'America/New_York', '2026-03-08T02:30:00Z', '2026-03-08T07:30:00.000Z'],
  ['a gap of half an hour', 'Australia/Lord_Howe', '2026-10-04T02:15:00Z', '2026-10-03T15:45:00.000Z'],
  ['a day that begins at one', 'Africa/Cairo', '2026-04-24T00:00:00Z', '2026-04-23T22:00:00.000Z'],
];

for (const [what, zone, wall, expected] of cases) {
  test(`time zones: ${what}`, () => {
    assert.equal(new Date(instantOf(Date.parse(wall), zone)).toISOString(), expected);
  });
}

test('what a clock shows', () => {
  const wall = (instant: string, zone: string) => new Date(wallClock(Date.parse(instant), zone)).toISOString();
  assert.equal(wall('2026-10-25T00:59:59.250Z', 'Europe/Berlin'), '2026-10-25T02:59:59.250Z');
  assert.equal(wall('2026-10-25T01:00:00Z', 'Europe/Berlin'), '2026-10-25T02:00:00.000Z');
  assert.equal(wall('2026-07-15T22:00:00Z', 'Europe/Berlin'), '2026-07-16T00:00:00.000Z');
});

test('names', () => {
  for (const name of ['UTC', 'Europe/Helsinki', 'America/Argentina/Buenos_Aires']) assert.equal(isTimeZone(name), true, name);
  for (const name of ['', 'Helsinki', 'Europe/Nowhere', '; DROP']) assert.equal(isTimeZone(name), false, name);
});
