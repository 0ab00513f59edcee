import assert from 'node:assert/strict';
import type { FaultWorld, StoreFault } from './fault-world.ts';
import type { Answer } from './http-fault-proxy.ts';
import { bytesOf, collect, failureOf, metadata, read, repeating } from './tools.ts';

/** What proxies and portals say in the store's place. */
const strangers: readonly Answer[] = [
  { status: 404, headers: { 'content-type': 'text/html' }, body: '<html><body>Not Found</body></html>' },
  { status: 404 },
];

async function throttled({ store, direct, proxy, dialect }: FaultWorld): Promise<void> {
  await direct.put('small', bytesOf('content'), { metadata });
  proxy.inject(() => true, { kind: 'answer', answer: dialect.busy(7) });
  const works = [
    store.put('new', bytesOf('content'), { metadata }),
    store.head('small'),
    read(store, 'small'),
    collect(store.list('')),
    store.delete('small'),
  ];
  for (const failure of await Promise.all(works.map(failureOf))) {
    assert.deepEqual([failure.code, failure.retryable, failure.retryAfterMs], ['store-throttled', true, 7_000]);
  }
  assert.ok(proxy.seen.length <= 3 * works.length, `${proxy.seen.length} requests although the store asked for fewer`);
}

async function throttledForAWhile({ store, direct, proxy, dialect }: FaultWorld): Promise<void> {
  await direct.put('small', bytesOf('content'), { metadata });
  proxy.inject(() => true, { kind: 'answer', answer: dialect.busy(0) }, 3);
  assert.equal(await read(repeating(store), 'small'), 'content');
}

async function mixOfErrors({ store, direct, proxy }: FaultWorld): Promise<void> {
  await direct.put('small', bytesOf('content'), { metadata });
  for (const status of [408, 500, 502, 503, 504]) {
    proxy.inject(() => true, { kind: 'answer', answer: { status } });
    for (const failure of await Promise.all([store.head('small'), read(store, 'small'), collect(store.list(''))].map(failureOf))) {
      assert.ok(failure.retryable, `${status} is ${failure.code}, not retryable`);
      assert.ok(['store-unreachable', 'store-throttled'].includes(failure.code), `${status} is ${failure.code}`);
    }
    proxy.heal();
  }
  for (const status of [400, 501]) {
    proxy.inject(() => true, { kind: 'answer', answer: { status } });
    const failure = await failureOf(store.head('small'));
    assert.deepEqual([failure.code, failure.retryable], ['store-failed', false], String(status));
    proxy.heal();
  }
}

async function denied({ store, direct, proxy, dialect }: FaultWorld): Promise<void> {
  await direct.put('small', bytesOf('content'), { metadata });
  proxy.inject(() => true, { kind: 'answer', answer: dialect.denied });
  const works = [
    store.put('new', bytesOf('content'), { metadata }),
    store.head('small'),
    read(store, 'small'),
    collect(store.list('')),
    store.delete('small'),
  ];
  for (const failure of await Promise.all(works.map(failureOf))) {
    assert.deepEqual([failure.code, failure.retryable], ['store-denied', false]);
  }
}

async function strangersSayNotFound({ store, direct, proxy }: FaultWorld): Promise<void> {
  await direct.put('small', bytesOf('content'), { metadata });
  for (const answer of strangers) {
    proxy.inject(() => true, { kind: 'answer', answer });
    for (const failure of await Promise.all([store.head('small'), read(store, 'small'), collect(store.list(''))].map(failureOf))) {
      assert.notEqual(failure.code, 'object-missing', `status ${answer.status} ${answer.body ?? 'without a body'}`);
    }
    proxy.heal();
  }
}

const welcome: Answer = {
  status: 200,
  headers: { 'content-type': 'text/html' },
  body: '<html><body>Welcome to the hotel</body></html>',
};

async function strangersSayYes({ store, proxy, dialect }: FaultWorld): Promise<void> {
  proxy.inject(dialect.isListing, { kind: 'answer', answer: welcome });
  await failureOf(collect(store.list('')));
}

async function strangersDelete({ store, direct, proxy }: FaultWorld): Promise<void> {
  const keys = ['one', 'two', 'three'];
  for (const key of keys) await direct.put(key, bytesOf(key), { metadata });
  proxy.inject(() => true, { kind: 'answer', answer: welcome });
  await failureOf(store.delete('one'));
  await failureOf(store.deleteMany(keys));
}

async function gone({ store, proxy }: FaultWorld): Promise<void> {
  await proxy[Symbol.asyncDispose]();
  for (const failure of await Promise.all(
    [store.head('small'), store.put('small', bytesOf('x'), { metadata }), collect(store.list(''))].map(failureOf),
  )) {
    assert.deepEqual([failure.code, failure.retryable], ['store-unreachable', true]);
  }
}

async function skewed({ store, proxy, dialect }: FaultWorld): Promise<void> {
  assert.ok(dialect.clockSkewed);
  proxy.inject(() => true, { kind: 'answer', answer: dialect.clockSkewed });
  await assert.rejects(read(store, 'small'), { code: 'store-denied', hint: /clock/i });
}

export const clockFault: StoreFault = { row: 27, fact: 'clocks that differ are named as the cause', holds: skewed };

export const refusalFaults: readonly StoreFault[] = [
  { row: 4, fact: 'a store that asks for fewer requests is left alone as long as it wants', holds: throttled },
  { row: 4, fact: 'what was throttled succeeds later', holds: throttledForAWhile },
  { row: 5, fact: 'what may pass is told from what will not', holds: mixOfErrors },
  { row: 19, fact: 'a "not found" that is not the store’s own does not count', holds: strangersSayNotFound },
  { row: 26, fact: 'credentials that are refused are said to be', holds: denied },
  { row: 28, fact: 'a success that is not the store’s own is no empty listing', holds: strangersSayYes },
  { row: 28, fact: 'a success that is not the store’s own is no deletion', holds: strangersDelete },
  // The last: it ends the proxy.
  { row: 28, fact: 'a server that is not there is unreachable', holds: gone },
];
