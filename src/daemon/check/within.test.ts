import assert from 'node:assert/strict';
import { test } from 'node:test';
import { within } from './within.ts';

const never = () => new Promise<never>(() => {});

test('work that ends in time gives what it gives', async () => {
  const { signal } = new AbortController();
  assert.equal(await within(10_000, signal, async () => 5), 5);
  await assert.rejects(
    within(10_000, signal, () => Promise.reject(new Error('broken'))),
    /broken/,
  );
});

test('work that heeds no signal is left all the same, and work that does is told why', async () => {
  const { signal } = new AbortController();
  await assert.rejects(within(20, signal, never), { code: 'check-timeout', message: 'there was no answer within 0.02 s' });
  let reason: unknown;
  const heeding = (limited: AbortSignal) =>
    new Promise<never>((_, reject) => limited.addEventListener('abort', () => reject((reason = limited.reason))));
  await assert.rejects(within(20, signal, heeding), { code: 'check-timeout' });
  assert.match(String(reason), /no answer/);
});

test('an interruption ends it with its own reason, and nothing begins after one', async () => {
  const stop = new AbortController();
  const waiting = within(10_000, stop.signal, never);
  stop.abort(new Error('Ctrl-C'));
  await assert.rejects(waiting, /Ctrl-C/);
  let hasBegun = false;
  await assert.rejects(
    within(10_000, stop.signal, async () => (hasBegun = true)),
    /Ctrl-C/,
  );
  assert.equal(hasBegun, false);
});
