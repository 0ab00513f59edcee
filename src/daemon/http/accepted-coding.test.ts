import assert from 'node:assert/strict';
import { test } from 'node:test';
import { acceptedCoding } from './accepted-coding.ts';

test('the smallest that a client takes', () => {
  const cases: readonly (readonly [header: string | undefined, coding: string | undefined])[] = [
    [undefined, undefined],
    ['', undefined],
    ['gzip, deflate, br, zstd', 'br'],
    ['GZip', 'gzip'],
    ['br;q=0, gzip;q=0.1', 'gzip'],
    ['br; q=0.000', undefined],
    ['*', 'br'],
    ['*;q=0, gzip', 'gzip'],
    ['identity', undefined],
    ['deflate, compress', undefined],
    ['brotli, xgzip', undefined],
    ['br;q=nonsense', undefined],
  ];
  for (const [header, coding] of cases) assert.equal(acceptedCoding(header), coding, String(header));
});
