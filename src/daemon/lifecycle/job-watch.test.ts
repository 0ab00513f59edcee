import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { SimulatedClock } from '../../../test/support/simulated-clock.ts';
import { isOperatorError } from '../../lib/errors.ts';
import { silentLog } from '../../lib/log.ts';
import { noMetrics } from '../../lib/metrics.ts';
import { JobWatch } from './job-watch.ts';
import { stalledAfterOptions } from './options.ts';

const listing = { site: 'main', kind: 'listing', what: 'the listing' } as const;

function world() {
  const clock = new SimulatedClock();
  const alerts = new Map<string, string>();
  const watch = new JobWatch({
    alerts: {
      raise: async (_name, site, because) => void alerts.set(site ?? '', because),
      clear: async (_name, site) => void alerts.delete(site ?? ''),
    },
    metrics: noMetrics,
    deadlines: () => stalledAfterOptions.parse({ listing: 60, site: 120 }),
    clock,
    log: silentLog,
  });
  watch.start();
  return { clock, alerts, watch };
}

test('a job without progress is told of and asked to stop, and one with progress is not', async () => {
  const { clock, alerts, watch } = world();
  const quiet = watch.begin({ site: 'main', kind: 'listing', what: 'the listing' }, (why) => stalls.push(why.code));
  const busy = watch.begin({ site: 'other', kind: 'listing', what: 'another listing' });
  const stalls: string[] = [];
  for (let n = 0; n < 70; n++) {
    busy.progress();
    await clock.run(clock.sleep(1000));
  }
  assert.deepEqual(stalls, ['job-stalled']);
  assert.deepEqual([...alerts], [['main', 'no progress any more: the listing']]);
  assert.equal(watch.hanging, undefined, 'others help themselves');
  quiet.progress();
  await clock.run(clock.sleep(2000));
  assert.deepEqual([...alerts], []);
  quiet.end();
  busy.end();
  await watch.stop();
});

test('a job that does not even stop is left to itself, and not begun again before it has ended', async () => {
  const { clock, alerts, watch } = world();
  const hung = Promise.withResolvers<string>();
  const { signal } = new AbortController();
  const aborted: unknown[] = [];
  const first = watch.run(listing, signal, (own) => {
    own.addEventListener('abort', () => aborted.push((own.reason as Error).message));
    return hung.promise;
  });
  const outcome = first.catch((error: unknown) => error);
  for (let n = 0; n < 70; n++) await clock.run(clock.sleep(1000));
  const error = await outcome;
  assert(isOperatorError(error, 'job-stalled') && error.retryable);
  assert.match(error.message, /^the listing has made no progress for 60 s and more$/);
  assert.deepEqual(aborted.length, 1);
  await assert.rejects(
    watch.run(listing, signal, async () => 'again'),
    { code: 'job-stalled' },
  );
  assert.equal(await watch.run({ ...listing, site: 'other' }, signal, async () => 'of another site'), 'of another site');
  assert.equal(alerts.size, 1);
  hung.resolve('at last');
  await nextTurn();
  await clock.run(clock.sleep(1000));
  assert.equal(alerts.size, 0);
  assert.equal(await watch.run(listing, signal, async () => 'again'), 'again');
  await watch.stop();
});

test('what a job says is handed on, and so is the end that its caller wants', async () => {
  const { clock, watch } = world();
  const own = new AbortController();
  await assert.rejects(
    watch.run(listing, own.signal, async () => {
      throw new Error('no such store');
    }),
    { message: 'no such store' },
  );
  const stuck = watch.run(listing, own.signal, () => new Promise(() => {})).catch((error: unknown) => error);
  own.abort(new Error('enough'));
  for (let n = 0; n < 31; n++) await clock.run(clock.sleep(1000));
  assert.equal(((await stuck) as Error).message, 'enough');
  await watch.stop();
});

test('only a whole pass that hangs is a matter for the supervisor', async () => {
  const { clock, watch } = world();
  const pass = watch.begin({ site: 'main', kind: 'site', what: 'the pass over site main' });
  for (let n = 0; n < 121; n++) await clock.run(clock.sleep(1000));
  assert.match(watch.hanging ?? '', /^the pass over site main has made no progress for 120 s and more$/);
  pass.end();
  assert.equal(watch.hanging, undefined);
  await watch.stop();
});
