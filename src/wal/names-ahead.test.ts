import assert from 'node:assert/strict';
import { test } from 'node:test';
import { namesAhead } from './names-ahead.ts';

const mebibyte = 1024 * 1024;

for (const [what, name, segmentBytes, count, expected] of [
  ['plain', '000000010000000000000001', 16 * mebibyte, 2, ['000000010000000000000002', '000000010000000000000003']],
  ['16 MiB: carry after FF', '0000000100000000000000FE', 16 * mebibyte, 2, ['0000000100000000000000FF', '000000010000000100000000']],
  ['1 MiB: no carry after FF', '0000000100000000000000FF', mebibyte, 1, ['000000010000000000000100']],
  ['1 GiB: carry after 3', '000000010000000000000002', 1024 * mebibyte, 2, ['000000010000000000000003', '000000010000000100000000']],
  ['none wanted', '000000010000000000000001', 16 * mebibyte, 0, []],
  ['the last of all', '00000001FFFFFFFF000000FF', 16 * mebibyte, 3, []],
] as const) {
  test(`names ahead: ${what}`, () => assert.deepEqual(namesAhead(name, segmentBytes, count), expected));
}
