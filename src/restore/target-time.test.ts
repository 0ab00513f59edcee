import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isOperatorError } from '../lib/errors.ts';
import { echoTargetTime, formatTargetTime, parseTargetTime } from './target-time.ts';

const now = new Date('2026-11-30T12:00:00.500Z');

const readable: [text: string, utc: string][] = [
  ['2026-11-22 14:03:00Z', '2026-11-22 14:03:00+00:00'],
  ['2026-11-22T14:03:00z', '2026-11-22 14:03:00+00:00'],
  ['2026-11-22 14:03 UTC', '2026-11-22 14:03:00+00:00'],
  ['2026-11-22 14:03:00+02', '2026-11-22 12:03:00+00:00'],
  ['2026-11-22 14:03:00+02:00', '2026-11-22 12:03:00+00:00'],
  ['2026-11-22T14:03:00 +0200', '2026-11-22 12:03:00+00:00'],
  ['2026-11-22 00:30:00-05:30', '2026-11-22 06:00:00+00:00'],
  ['2026-11-22 14:03:00.5Z', '2026-11-22 14:03:00.500000+00:00'],
  ['2026-11-22T23:39:55.134069+00:00', '2026-11-22 23:39:55.134069+00:00'],
  ['2026-11-22 14:03 Europe/Helsinki', '2026-11-22 12:03:00+00:00'],
  ['2026-07-22 14:03:00.25 America/Argentina/Buenos_Aires', '2026-07-22 17:03:00.250000+00:00'],
  ['2026-10-25 02:59:59 Europe/Helsinki', '2026-10-24 23:59:59+00:00'],
  ['5 minutes ago', '2026-11-30 11:55:00.500000+00:00'],
  ['1.5 hours ago', '2026-11-30 10:30:00.500000+00:00'],
  [' an hour ago ', '2026-11-30 11:00:00.500000+00:00'],
  ['2 Weeks ago', '2026-11-16 12:00:00.500000+00:00'],
  ['2024-02-29 23:59:59.999999Z', '2024-02-29 23:59:59.999999+00:00'],
];
for (const [text, utc] of readable) {
  test(`the target time ${text} is ${utc}`, () => assert.equal(formatTargetTime(parseTargetTime(text, now)), utc));
}

const refused: [text: string, code: string][] = [
  ['2026-11-22 14:03:00', 'target-time-zone-missing'],
  ['2026-11-22T14:03', 'target-time-zone-missing'],
  ['2026-11-22 14:03:00 EDT', 'target-time-invalid'],
  ['2026-11-22 14:03:00 Europe/Helsinky', 'target-time-invalid'],
  ['2026-11-22 14:03:00 CET', 'target-time-invalid'],
  ['2026-03-29 03:30:00 Europe/Helsinki', 'target-time-invalid'],
  ['2026-10-25 03:30:00 Europe/Helsinki', 'target-time-zone-missing'],
  ['5 months ago', 'target-time-invalid'],
  ['5 minutes', 'target-time-invalid'],
  ['2026-11-22 14:03:00+16:00', 'target-time-invalid'],
  ['2026-11-22', 'target-time-invalid'],
  ['2026-02-29 12:00:00Z', 'target-time-invalid'],
  ['2026-13-01 12:00:00Z', 'target-time-invalid'],
  ['2026-11-22 24:00:00Z', 'target-time-invalid'],
  ['2026-11-22 13am', 'target-time-invalid'],
  ['yesterday', 'target-time-invalid'],
  ['', 'target-time-invalid'],
  ["2026-11-22 14:03:00Z'; drop", 'target-time-invalid'],
];
for (const [text, code] of refused) {
  test(`the target time '${text}' is refused with ${code}`, () => {
    assert.throws(
      () => parseTargetTime(text, now),
      (error) => isOperatorError(error, code) && error.hint !== undefined,
    );
  });
}

test('a time without a zone is refused with what it could mean, in UTC and here', () => {
  assert.match(hintFor('2026-11-22 14:03:00', 'Asia/Kathmandu'), /'2026-11-22 14:03:00Z' for UTC, or '2026-11-22 14:03:00\+05:45'/);
});

test('in the hour that autumn repeats, both readings are offered; in the one that spring skips, none', () => {
  assert.match(hintFor('2026-10-25 03:30:00', 'Europe/Helsinki'), /03:30:00\+03:00' or '2026-10-25 03:30:00\+02:00'/);
  assert.match(hintFor('2026-03-29 03:30:00', 'Europe/Helsinki'), /clocks skipped it/);
});

test('the echo names the moment in UTC, here, and where the source lives', () => {
  const time = parseTargetTime('2026-07-01 12:00:00.25Z', now);
  assert.deepEqual(
    inZone('America/New_York', () => echoTargetTime(time, 'Europe/Helsinki')),
    [
      '2026-07-01 12:00:00.250000 UTC',
      '2026-07-01 08:00:00.250000-04:00 in the zone of this machine (America/New_York)',
      '2026-07-01 15:00:00.250000+03:00 in the zone of the source (Europe/Helsinki)',
    ],
  );
  assert.equal(echoTargetTime(time, 'Nowhere/Land').length, 2);
});

function hintFor(text: string, zone: string): string {
  return inZone(zone, () => {
    try {
      parseTargetTime(text, now);
    } catch (error) {
      if (isOperatorError(error)) return error.hint ?? '';
    }
    return assert.fail('not refused');
  });
}

function inZone<T>(zone: string, work: () => T): T {
  const before = process.env['TZ'];
  process.env['TZ'] = zone;
  try {
    return work();
  } finally {
    if (before === undefined) delete process.env['TZ'];
    else process.env['TZ'] = before;
  }
}
