import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from './clock.ts';
import { OperatorError } from './errors.ts';
import { backoffMs, type RetryPolicy, retry } from './retry.ts';

const policy: RetryPolicy = { attemptsMax: 4, delayMsFirst: 500, delayMsMax: 20_000 };
const transient = new OperatorError('store-unreachable', 'no answer', { retryable: true });
const final = new OperatorError('store-denied', 'no');

function recordingClock(): Clock & { slept: number[] } {
  const slept: number[] = [];
  return { slept, now: () => new Date(0), monotonicMs: () => 0, sleep: async (ms) => void slept.push(ms) };
}
const highest = { next: () => 1, hex: () => '' };

test('a retryable failure is repeated with growing delays until it succeeds', async () => {
  const clock = recordingClock();
  const result = await retry(
    async (attempt) => {
      if (attempt < 4) throw transient;
      return attempt;
    },
    policy,
    { clock, random: highest },
  );
  assert.equal(result, 4);
  assert.deepEqual(clock.slept, [500, 1000, 2000]);
});

test('the last failure is thrown when the attempts are used up', async () => {
  const clock = recordingClock();
  await assert.rejects(
    retry(async () => Promise.reject(transient), policy, { clock }),
    transient,
  );
  assert.equal(clock.slept.length, 3);
});

test('what is not retryable is thrown at once', async () => {
  const clock = recordingClock();
  await assert.rejects(
    retry(async () => Promise.reject(final), policy, { clock }),
    final,
  );
  assert.deepEqual(clock.slept, []);
});

test('an abort ends the waiting', async () => {
  const controller = new AbortController();
  const running = retry(
    async () => Promise.reject(transient),
    { ...policy, delayMsFirst: 60_000, delayMsMax: 60_000 },
    { signal: controller.signal },
  );
  controller.abort(new Error('stop'));
  await assert.rejects(running, /stop/);
});

test('delays stay between half the ceiling and the ceiling', () => {
  const lowest = { next: () => 0, hex: () => '' };
  assert.deepEqual(
    [1, 2, 7, 50].map((attempt) => backoffMs(attempt, policy, lowest)),
    [250, 500, 10_000, 10_000],
  );
  assert.deepEqual(
    [1, 2, 7, 50].map((attempt) => backoffMs(attempt, policy, highest)),
    [500, 1000, 20_000, 20_000],
  );
});
