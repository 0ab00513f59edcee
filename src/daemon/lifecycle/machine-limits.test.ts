import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limitWarnings, readLimits } from './machine-limits.ts';

const limits = (soft: string) => `Limit                     Soft Limit           Hard Limit           Units
Max file size             unlimited            unlimited            bytes
Max open files            ${soft.padEnd(20)} 524288               files
`;

test('too few files that may be open at once are told, with what to do', () => {
  assert.match(limitWarnings(limits('256'))[0] ?? '', /^only 256 files may be open at once.*LimitNOFILE=65536/);
  for (const enough of ['1024', '524288', 'unlimited']) assert.deepEqual(limitWarnings(limits(enough)), []);
  assert.deepEqual(limitWarnings(''), [], 'nothing is known');
});

test('the limits of this process are in the shape that is expected', async () => {
  assert.match(await readLimits(), /^Max open files\s+(\d+|unlimited)/m);
});
