import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareKeys } from './key-order.ts';

const names = ['', 'a', 'a-', 'a.', 'a/', 'a/b', 'a0', 'aa', 'z', 'é', '\ud7ff', '\ue000', 'Ａ', '\uffff', '🐘', '🐘a', '\u{10ffff}'];

test('keys compare as their UTF-8 bytes do', () => {
  for (const a of names) {
    for (const b of names) {
      assert.equal(
        Math.sign(compareKeys(a, b)),
        Buffer.compare(Buffer.from(a), Buffer.from(b)),
        `${JSON.stringify(a)} and ${JSON.stringify(b)}`,
      );
    }
  }
});
