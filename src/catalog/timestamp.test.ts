import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatTimestamp, parseTimestamp } from './timestamp.ts';

const good = [
  ['2026-11-22T23:39:52+00:00', '2026-11-22T23:39:52.000Z'],
  ['2026-11-22 23:42:56.883472+00:00', '2026-11-22T23:42:56.883Z'],
  ['2026-11-22T23:44:26.007939+00:00', '2026-11-22T23:44:26.007Z'],
  ['2016-06-23T14:53:25.840787', '2016-06-23T14:53:25.840Z'],
  ['2026-11-22T23:39:52Z', '2026-11-22T23:39:52.000Z'],
  ['2026-11-22 23:39:52 UTC', undefined],
  ['2026-11-22T23:39:52+05:30', '2026-11-22T18:09:52.000Z'],
  ['2026-11-22T23:39:52-0800', '2026-11-23T07:39:52.000Z'],
  ['2026-11-22T23:39:52+02', '2026-11-22T21:39:52.000Z'],
  ['2026-11-22T23:39:52.5+00:00', '2026-11-22T23:39:52.500Z'],
  ['2024-02-29T00:00:00Z', '2024-02-29T00:00:00.000Z'],
  ['0099-01-01T00:00:00Z', '0099-01-01T00:00:00.000Z'],
  ['2026-02-29T00:00:00Z', undefined],
  ['2026-13-01T00:00:00Z', undefined],
  ['2026-00-10T00:00:00Z', undefined],
  ['2026-01-01T24:00:00Z', undefined],
  ['2026-01-01', undefined],
  ['yesterday', undefined],
  ['', undefined],
  ['2026-11-22T23:39:52+00:00 and more', undefined],
] as const;

for (const [text, expected] of good) {
  test(`${JSON.stringify(text)} is ${expected ?? 'no timestamp'}`, () => assert.equal(parseTimestamp(text)?.toISOString(), expected));
}

test('writes what Python writes', () => {
  assert.equal(formatTimestamp(new Date('2026-11-22T23:39:52Z')), '2026-11-22T23:39:52+00:00');
  assert.equal(formatTimestamp(new Date('2026-11-22T23:42:56.883Z')), '2026-11-22T23:42:56.883000+00:00');
});
