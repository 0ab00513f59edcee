import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isOperatorError } from '../lib/errors.ts';
import { formatLsn, parseLsn } from './lsn.ts';

const positions: readonly (readonly [string, bigint])[] = [
  ['0/0', 0n],
  ['0/1', 1n],
  ['0/10000AB', 16_777_387n],
  ['0/FFFFFFFF', 0xffff_ffffn],
  ['1/0', 0x1_0000_0000n],
  ['F/190001B0', 0xf_1900_01b0n],
  ['11/9C000000', 0x11_9c00_0000n],
  ['FFFFFFFF/FFFFFFFF', 0xffff_ffff_ffff_ffffn],
];

for (const [text, lsn] of positions) {
  test(`${text} = ${lsn}`, () => {
    assert.equal(parseLsn(text), lsn);
    assert.equal(formatLsn(lsn), text);
  });
}

test('leading zeros and small letters are read', () => {
  assert.equal(parseLsn('00000000/0f0000aB'), 0xf00_00abn);
});

for (const text of ['', '/', '0', '0/', '/0', '0/0/0', '0x1/0', 'G/0', '123456789/0', '0/123456789', ' 0/0', '0/0 ', '-1/0', '0/0\n']) {
  test(`not a position: ${JSON.stringify(text)}`, () => {
    assert.throws(
      () => parseLsn(text),
      (error) => isOperatorError(error, 'lsn-invalid'),
    );
  });
}
