import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimulatedClock } from '../../../test/support/simulated-clock.ts';
import { ThrottleWatch } from './throttle-watch.ts';

test('a store throttles from its first refusal until it has refused nothing for three minutes', async () => {
  const clock = new SimulatedClock();
  const watch = new ThrottleWatch(clock);
  const request = (outcome: string) => watch.ended({ operation: 'put', key: 'k', durationMs: 1, outcome });
  const seconds = (count: number) => clock.run(clock.sleep(count * 1000));
  request('ok');
  request('store-unreachable');
  assert.equal(watch.throttledMs, 0);
  for (let minute = 0; minute < 20; minute++) {
    request('store-throttled');
    request('ok');
    await seconds(60);
  }
  assert.equal(watch.throttledMs, 1_200_000);
  await seconds(121);
  assert.equal(watch.throttledMs, 0);
  request('store-throttled');
  await seconds(10);
  assert.equal(watch.throttledMs, 10_000);
});
