import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { HttpStub } from '../../../test/support/services/http-stub.ts';
import { waitFor } from '../../../test/support/wait-for.ts';
import { systemClock } from '../../lib/clock.ts';
import { type Log, silentLog } from '../../lib/log.ts';
import { Heartbeat, type HeartbeatOptions } from './heartbeat.ts';

const soon = { withinMs: 10_000 };

function bench(t: TestContext, options: Partial<HeartbeatOptions>) {
  const state = { isWell: true, because: 'all is well' };
  const logged: string[] = [];
  const tell = (_fields: object, message: string) => void logged.push(message);
  const log: Log = { ...silentLog, info: tell, warn: tell, error: tell };
  // A hundred times faster.
  const clock = { ...systemClock, sleep: (ms: number, signal?: AbortSignal) => systemClock.sleep(ms / 100, signal) };
  const given = { heartbeat_url: null, heartbeat_fail_url: null, heartbeat_interval_seconds: 10, heartbeat_max_age_seconds: 1, ...options };
  const heartbeat = new Heartbeat({ site: 'main', options: () => given, decide: () => state, version: '3', clock, log });
  t.after(() => heartbeat.close());
  return { heartbeat, state, logged, given };
}

test('the heart beats while all is well, is silent while it is not, and beats again', async (t) => {
  await using hook = await HttpStub.start(() => ({}));
  const { heartbeat, state, logged } = bench(t, { heartbeat_url: `${hook.url}/ping/token` });
  await waitFor(() => hook.seen.length >= 3, { ...soon, what: 'three beats' });
  Object.assign(state, { isWell: false, because: 'a hole' });
  await waitFor(() => heartbeat.view?.is_well === false, { ...soon, what: 'the decision is known' });
  const beats = hook.seen.length;
  await waitFor(() => logged.includes('no heartbeat is sent: a hole'), { ...soon, what: 'it is told' });
  assert.ok(hook.seen.length <= beats + 1);
  state.isWell = true;
  await waitFor(() => hook.seen.length >= beats + 2, { ...soon, what: 'it beats again' });
  assert.ok(hook.seen.every(({ method, path }) => method === 'GET' && path === '/ping/token'));
  assert.ok(heartbeat.view?.called_at);
  assert.doesNotMatch(JSON.stringify([heartbeat.view, logged]), /token/);
});

test('another address can be called while it is not well', async (t) => {
  await using hook = await HttpStub.start(() => ({}));
  const { state, heartbeat } = bench(t, { heartbeat_url: `${hook.url}/ping`, heartbeat_fail_url: `${hook.url}/ping/fail` });
  await waitFor(() => hook.seen.length >= 1, { ...soon, what: 'a beat' });
  state.isWell = false;
  await waitFor(() => hook.seen.at(-1)?.path === '/ping/fail', { ...soon, what: 'the other address' });
  assert.equal(heartbeat.view?.is_well, false);
});

test('a beat that does not arrive is told of once, tried again, and takes back what was told', async (t) => {
  let status = 500;
  await using hook = await HttpStub.start(() => ({ status }));
  const { heartbeat, logged } = bench(t, { heartbeat_url: `${hook.url}/token` });
  await waitFor(() => hook.seen.length >= 3, { ...soon, what: 'it is tried again' });
  assert.equal(heartbeat.view?.failure, `${hook.url} answered 500`);
  assert.equal(heartbeat.view?.called_at, null);
  status = 200;
  await waitFor(() => heartbeat.view?.failure === null, { ...soon, what: 'it arrives' });
  assert.deepEqual(logged, [
    'the heartbeat is sent: all is well',
    `the heartbeat does not arrive: ${hook.url} answered 500`,
    'the heartbeat arrives again',
  ]);
});

test('without an address there is no heart, and one that comes later is called', async (t) => {
  await using hook = await HttpStub.start(() => ({}));
  const { heartbeat, given } = bench(t, {});
  assert.equal(heartbeat.view, undefined);
  given.heartbeat_url = hook.url;
  await waitFor(() => hook.seen.length >= 1, { ...soon, what: 'a beat' });
});
