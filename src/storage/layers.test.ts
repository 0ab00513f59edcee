import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Fault, FaultyStore } from '../../test/support/store.ts';
import type { Clock } from '../lib/clock.ts';
import { OperatorError } from '../lib/errors.ts';
import { bytesOf, collect, read } from './contract-tools.ts';
import { MemoryStore } from './memory/driver.ts';
import type { ObjectStore } from './object-store.ts';
import { passOn } from './pass-on.ts';
import { withChecks } from './with-checks.ts';
import { withLimit } from './with-limit.ts';
import { normaliseStorePrefix, withPrefix } from './with-prefix.ts';
import { withRetry } from './with-retry.ts';

const policy = { attemptsMax: 3, delayMsFirst: 100, delayMsMax: 1_000 };

/** Time stands still; sleeping is remembered. */
class TestClock implements Clock {
  readonly slept: number[] = [];
  now = () => new Date('2026-11-22T23:39:52Z');
  monotonicMs = () => 0;
  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    this.slept.push(ms);
  }
}

async function faulty(faults: readonly Fault[]): Promise<{ store: ObjectStore; inner: FaultyStore; clock: TestClock }> {
  const memory = new MemoryStore();
  for (const key of ['a', 'b', 'c']) await memory.put(key, bytesOf(`${key}123456789`), { metadata: {} });
  const inner = new FaultyStore(memory, faults);
  const clock = new TestClock();
  return { store: withRetry(inner, policy, { clock, random: { next: () => 1, hex: () => '' } }), inner, clock };
}

test('retry: head, get and delete are repeated with growing delays', async () => {
  const broken = (['head', 'get', 'delete'] as const).flatMap((operation): Fault[] => [
    { operation, call: 1, how: 'refuse' },
    { operation, call: 2, how: 'refuse' },
  ]);
  const { store, clock } = await faulty(broken);
  assert.equal((await store.head('a')).size, 10);
  assert.deepEqual(clock.slept, [100, 200]);
  assert.equal(await read(store, 'a'), 'a123456789');
  await store.delete('a');
  assert.equal(clock.slept.length, 6);
});

test('retry: gives up after the last attempt', async () => {
  const { store, inner } = await faulty([{ operation: 'head', how: 'refuse' }]);
  await assert.rejects(store.head('a'), { code: 'store-unreachable' });
  assert.equal(inner.count('head'), 3);
});

test('retry: what cannot get better is not repeated', async () => {
  const denied = new OperatorError('store-denied', 'no');
  const { store, inner } = await faulty([{ operation: 'head', how: 'refuse', error: denied }]);
  await assert.rejects(store.head('a'), denied);
  await assert.rejects(store.get('none'), { code: 'object-missing' });
  assert.deepEqual([inner.count('head'), inner.count('get')], [1, 1]);
});

test('retry: puts are not repeated here', async () => {
  const { store, inner } = await faulty([{ operation: 'put', how: 'lose-response' }]);
  await assert.rejects(store.put('new', bytesOf('x'), { metadata: {} }), { retryable: true });
  assert.equal(inner.count('put'), 1);
});

test('retry: a body cut again and again goes on where it stopped, as long as it moves', async () => {
  const { store, inner } = await faulty([{ operation: 'get', how: 'cut', after: 2 }]);
  assert.equal(await read(store, 'a'), 'a123456789');
  assert.equal(inner.count('get'), 5);
  assert.equal(await read(store, 'b', { start: 3, end: 8 }), '34567');
});

test('retry: a body that does not move ends by the failure', async () => {
  const { store, inner } = await faulty([{ operation: 'get', how: 'cut', after: 0 }]);
  await assert.rejects(read(store, 'a'), { code: 'store-unreachable' });
  assert.equal(inner.count('get'), 3);
});

test('retry: an object replaced meanwhile is not glued to the rest of the old one', async () => {
  const { store, inner } = await faulty([{ operation: 'get', call: 1, how: 'cut', after: 4 }]);
  const { bytes } = await store.get('a');
  await inner.put('a', bytesOf('another and longer body'), { metadata: {} });
  await assert.rejects(collect(bytes), { code: 'store-failed', message: /replaced/ });
});

test('retry: a body shorter than promised is an error even if the driver did not notice', async () => {
  const { inner } = await faulty([]);
  const short: ObjectStore = {
    ...passOn(inner),
    get: async (key) => ({ entry: await inner.head(key), bytes: (await inner.get(key, { range: { start: 0, end: 4 } })).bytes }),
  };
  const store = withRetry(short, { ...policy, attemptsMax: 1 });
  await assert.rejects(read(store, 'a'), { code: 'store-unreachable', message: /4 of 10 bytes/ });
});

test('retry: a body longer than what was asked for is no success', async () => {
  const { inner } = await faulty([{ operation: 'get', call: 1, how: 'cut', after: 4 }]);
  const rangeless: ObjectStore = { ...passOn(inner), get: (key) => inner.get(key) };
  const store = withRetry(rangeless, { ...policy, delayMsFirst: 1, delayMsMax: 1 });
  await assert.rejects(read(store, 'a'), { code: 'store-failed', message: /more than the 10 bytes/ });
});

test('retry: a listing goes on after its last key', async () => {
  const { store, inner } = await faulty([{ operation: 'list', how: 'cut', after: 1 }]);
  const keys = (await collect(store.list(''))).map(({ key }) => key).join();
  assert.equal(keys, 'a,b,c');
  assert.ok(inner.count('list') > 1);
});

test('retry: an abort ends the waiting', async () => {
  const stop = new AbortController();
  const { inner } = await faulty([{ operation: 'head', how: 'refuse' }]);
  const clock: Clock = {
    now: () => new Date(0),
    monotonicMs: () => 0,
    sleep: async (_ms, signal) => {
      stop.abort(new Error('stopped by the test'));
      signal?.throwIfAborted();
    },
  };
  await assert.rejects(withRetry(inner, policy, { clock }).head('a', { signal: stop.signal }), /stopped by the test/);
  assert.equal(inner.count('head'), 1);
});

test('limit: no more requests at once than allowed, in the order they came', async () => {
  const gates = Array.from({ length: 5 }, () => Promise.withResolvers<undefined>());
  const started: string[] = [];
  const memory = new MemoryStore();
  const slow: ObjectStore = {
    ...passOn(memory),
    put: async (key, source, options) => {
      started.push(key);
      await gates[Number(key)]?.promise;
      return memory.put(key, source, options);
    },
  };
  const store = withLimit(slow, 2);
  const puts = gates.map((_, i) => store.put(String(i), bytesOf('x'), { metadata: {} }));
  await turn();
  assert.deepEqual(started, ['0', '1']);
  gates[1]?.resolve(undefined);
  await puts[1];
  await turn();
  assert.deepEqual(started, ['0', '1', '2']);
  for (const gate of gates) gate.resolve(undefined);
  await Promise.all(puts);
  assert.deepEqual(started, ['0', '1', '2', '3', '4']);
});

test('limit: a body that nobody reads does not block others', async () => {
  const memory = new MemoryStore();
  await memory.put('a', bytesOf('x'), { metadata: {} });
  const store = withLimit(memory, 1);
  await store.get('a');
  await store.get('a');
  assert.equal(await read(store, 'a'), 'x');
});

for (const [given, normal] of [
  ['', ''],
  ['/', ''],
  ['a', 'a/'],
  ['a/', 'a/'],
  ['a/b//', 'a/b/'],
  ['/a', '/a/'],
] as const) {
  test(`prefix: ${JSON.stringify(given)} stands before keys as ${JSON.stringify(normal)}`, () =>
    assert.equal(normaliseStorePrefix(given), normal));
}

test('prefix: keys of others are not seen', async () => {
  const memory = new MemoryStore();
  for (const key of ['p/x/1', 'p/x2', 'other']) await memory.put(key, bytesOf(key), { metadata: {} });
  const store = withPrefix(memory, 'p/x');
  assert.deepEqual(
    (await collect(store.list(''))).map(({ key }) => key),
    ['1'],
  );
  await store.put('2', bytesOf('two'), { metadata: {} });
  assert.equal((await memory.head('p/x/2')).size, 3);
});

test('prefix: slashes at its beginning and end are part of the keys', async () => {
  const memory = new MemoryStore();
  const keys: string[] = [];
  const head: ObjectStore['head'] = (key) => {
    keys.push(key);
    return memory.head('other');
  };
  const recording = { ...passOn(memory), head };
  for (const prefix of ['/', 'p//']) await assert.rejects(withPrefix(recording, prefix).head('abs/site'), { code: 'object-missing' });
  assert.deepEqual(keys, ['/abs/site', 'p//abs/site']);
});

test('prefix: a store that lists what was not asked for is caught', async () => {
  const memory = new MemoryStore();
  await memory.put('other', bytesOf('x'), { metadata: {} });
  const store = withPrefix({ ...passOn(memory), list: () => memory.list('') }, 'p');
  await assert.rejects(collect(store.list('')), { code: 'store-failed', message: /other/ });
});

/** Lets everything that can go on go on. */
async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

test('checks: what is refused is not done, everything else passes', async () => {
  const inner = new FaultyStore(new MemoryStore());
  let refusal: Error | undefined;
  const check = () => {
    if (refusal) throw refusal;
  };
  const store = withChecks(inner, { beforePut: check, beforeDelete: check });
  await store.put('a', bytesOf('one'), { metadata: {} });
  refusal = new OperatorError('lease-lost', 'not now');
  await assert.rejects(store.put('a', bytesOf('two'), { metadata: {} }), refusal);
  await assert.rejects(store.delete('a'), refusal);
  assert.deepEqual([inner.count('put'), inner.count('delete')], [1, 0]);
  assert.equal(await read(store, 'a'), 'one');
  assert.equal((await store.head('a')).size, 3);
  assert.deepEqual(
    (await collect(store.list(''))).map(({ key }) => key),
    ['a'],
  );
  refusal = undefined;
  await store.delete('a');
  assert.equal(inner.count('delete'), 1);
});
