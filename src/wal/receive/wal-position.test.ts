import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareWalPosition } from './wal-position.ts';

test('position comes first, then the timeline, as pg_receivewal ranks files', () => {
  const ascending = ['000000010000000000000005', '000000020000000000000005', '0000000100000000000000FF', '000000010000000100000000'];
  for (const [at, name] of ascending.entries()) {
    for (const [other, second] of ascending.entries()) {
      assert.equal(compareWalPosition(name, second), Math.sign(at - other), `${name} ${second}`);
    }
  }
  assert.equal(compareWalPosition('000000010000000000000005.partial', '000000010000000000000005'), 0);
});
