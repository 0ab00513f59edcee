import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSize } from './replication.ts';

test('sizes are read as SHOW prints them', () => {
  const sizes = ['1MB', '16MB', '1GB', '512kB', '5B', '', '16', 'MB', '16 MB'].map(parseSize);
  assert.deepEqual(sizes, [2 ** 20, 2 ** 24, 2 ** 30, 2 ** 19, 5, undefined, undefined, undefined, undefined]);
});
