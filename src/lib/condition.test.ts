import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Condition } from './condition.ts';

const never = new AbortController().signal;

test('who waits goes on once it is as wanted, and not before', async () => {
  const condition = new Condition();
  let value = 0;
  let looks = 0;
  const waiting = condition.until(() => {
    looks++;
    return value >= 2 ? value : undefined;
  }, never);
  for (value = 1; value < 3; value++) {
    condition.wake();
    await new Promise(setImmediate);
  }
  assert.equal(await waiting, 2);
  assert.equal(looks, 3);
});

test('several wait for different things; an abort ends its own wait only', async () => {
  const condition = new Condition();
  const stop = new AbortController();
  let isOpen = false;
  const aborted = assert.rejects(
    condition.until(() => undefined, stop.signal),
    /enough/,
  );
  const other = condition.until(() => (isOpen ? 'open' : undefined), never);
  stop.abort(new Error('enough'));
  await aborted;
  isOpen = true;
  condition.wake();
  assert.equal(await other, 'open');
  await assert.rejects(
    condition.until(() => 'there', stop.signal),
    /enough/,
  );
});
