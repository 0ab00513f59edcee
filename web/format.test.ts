import assert from 'node:assert/strict';
import { test } from 'node:test';

process.env['TZ'] = 'Europe/Helsinki';
const { apiPath, formatBytes, formatDuration, formatMoment, msOf, plural } = await import('./format.ts');

test('sizes have three figures at most', () => {
  const told = [0, 1, 999, 1000, 1023, 1024, 1536, 102_400, 1 << 24, 5.5 * 1024 ** 4, -3].map(formatBytes);
  assert.deepEqual(told, ['0 B', '1 B', '999 B', '1.0 KiB', '1.0 KiB', '1.0 KiB', '1.5 KiB', '100 KiB', '16.0 MiB', '5.5 TiB', '0 B']);
});

test('durations have two units at most', () => {
  const told = [0, 59.4, 60, 200, 3600, 7500, 86_399, 86_400, 1_050_000].map(formatDuration);
  assert.deepEqual(told, ['0 s', '59 s', '1 min', '3 min 20 s', '1 h', '2 h 5 min', '23 h 59 min', '1 d', '12 d 3 h']);
});

test('moments are told in the zone of the viewer, with UTC beside', () => {
  assert.match(formatMoment(Date.parse('2026-11-30T22:14:03Z')), /^Tue, 1 Dec 2026, 00:14:03 (EET|GMT\+2) \(2026-11-30 22:14:03 UTC\)$/);
});

test('what is no moment is none, and paths hold any name', () => {
  assert.deepEqual([msOf(null), msOf('x'), msOf('1970-01-01T00:00:01Z')], [undefined, undefined, 1000]);
  assert.deepEqual(
    [apiPath('a b/<c>', 'status'), plural(1, 'file'), plural(2000, 'file')],
    ['a%20b%2F%3Cc%3E/status', '1 file', '2,000 files'],
  );
});
