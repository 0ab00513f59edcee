import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FaultyStore } from '../../test/support/store.ts';
import type { Clock } from '../lib/clock.ts';
import { type Log, silentLog } from '../lib/log.ts';
import { objectStoreContract } from './contract.ts';
import { bytesOf, collect, read } from './contract-tools.ts';
import { ObjectLockedError } from './delete-many.ts';
import { logObserver } from './log-observer.ts';
import { MemoryStore } from './memory/driver.ts';
import type { StoreRequest } from './request-observer.ts';
import { withObservers } from './with-observers.ts';

/** Each look at the time finds it ten milliseconds later. */
class TickingClock implements Clock {
  #ms = 0;
  now = () => new Date(0);
  monotonicMs = () => (this.#ms += 10);
  sleep = async () => {};
}

function observed() {
  const requests: StoreRequest[] = [];
  const faulty = new FaultyStore(new MemoryStore());
  let closed = 0;
  const observer = { ended: (request: StoreRequest) => void requests.push(request), close: async () => void closed++ };
  const store = withObservers(faulty, [observer], new TickingClock());
  const told = () => requests.splice(0).map(({ operation, key, bytes, outcome }) => [operation, key, bytes, outcome]);
  return { store, faulty, requests, told, closed: () => closed };
}

const metadata = { a: 'b' };

for (const { fact, holds } of objectStoreContract) {
  test(`observed: ${fact}`, () => holds(withObservers(new MemoryStore(), [{ ended: () => {} }])));
}

test('every request is told with its key, its bytes and how long it took', async () => {
  const { store, requests, told } = observed();
  await store.put('dir/a', bytesOf('hello'), { metadata });
  assert.deepEqual([requests[0]?.durationMs, requests[0]?.entry?.metadata], [10, metadata]);
  await store.head('dir/a');
  await read(store, 'dir/a', { start: 1, end: 4 });
  await collect(store.list('dir/'));
  await store.delete('dir/a');
  await store.deleteMany(['x', 'y']);
  await store.removeUnfinished('dir/', { before: new Date(0) });
  await store.create();
  assert.deepEqual(requests.find(({ operation }) => operation === 'delete_many')?.deletedKeys, ['x', 'y']);
  assert.deepEqual(told(), [
    ['put', 'dir/a', 5, 'ok'],
    ['head', 'dir/a', undefined, 'ok'],
    ['get', 'dir/a', 3, 'ok'],
    ['list', 'dir/', undefined, 'ok'],
    ['delete', 'dir/a', undefined, 'ok'],
    ['delete_many', 'x', undefined, 'ok'],
    ['remove_unfinished', 'dir/', undefined, 'ok'],
    ['create', '', undefined, 'ok'],
  ]);
});

test('failures are told by their code, and reach the caller', async () => {
  const { store, faulty, told } = observed();
  await store.put('a', bytesOf('0123456789'), { metadata });
  faulty.inject({ operation: 'put', how: 'refuse' });
  faulty.inject({ operation: 'get', call: 1, how: 'cut', after: 4 });
  faulty.inject({ operation: 'list', how: 'refuse' });
  told();
  await assert.rejects(store.put('a', bytesOf('x'), { metadata }), { code: 'store-unreachable' });
  await assert.rejects(read(store, 'a'), { code: 'store-unreachable' });
  await assert.rejects(store.get('none'), { code: 'object-missing' });
  await assert.rejects(collect(store.list('')), { code: 'store-unreachable' });
  await assert.rejects(store.head('a', { signal: AbortSignal.abort(new Error('stopped')) }), /stopped/);
  assert.deepEqual(told(), [
    ['put', 'a', undefined, 'store-unreachable'],
    ['get', 'a', 4, 'store-unreachable'],
    ['get', 'none', undefined, 'object-missing'],
    ['list', '', undefined, 'store-unreachable'],
    ['head', 'a', undefined, 'other'],
  ]);
});

test('a body or a listing that is left is told with what came of it', async () => {
  const { store, told } = observed();
  await store.put('a', bytesOf('hello'), { metadata });
  await store.put('b', bytesOf('hello'), { metadata });
  told();
  for await (const piece of (await store.get('a')).bytes) {
    assert.equal(piece.length, 5);
    break;
  }
  await (await store.get('a')).bytes[Symbol.asyncIterator]().return?.();
  for await (const { key } of store.list('')) if (key === 'a') break;
  assert.deepEqual(told(), [
    ['get', 'a', 5, 'ok'],
    ['get', 'a', 0, 'ok'],
    ['list', '', undefined, 'ok'],
  ]);
});

test('of many that were to be deleted those are told that went', async () => {
  const { store, faulty, requests } = observed();
  faulty.inject({ operation: 'delete', key: /^b$/, how: 'refuse', error: new ObjectLockedError('b', 'it', undefined) });
  await store.deleteMany(['a', 'b', 'c']);
  assert.deepEqual(requests[0]?.deletedKeys, ['a', 'c']);
});

test('closing the store closes the observers', async () => {
  const { store, closed } = observed();
  await store.close();
  assert.equal(closed(), 1);
});

test('the log has a line for each request, at DEBUG', async () => {
  const lines: [object, string][] = [];
  const log: Log = { ...silentLog, debug: (fields, message) => void lines.push([fields, message]) };
  const store = withObservers(new MemoryStore(), [logObserver(log, 'memory')], new TickingClock());
  await store.put('a', bytesOf('hello'), { metadata });
  await assert.rejects(store.head('b'));
  assert.deepEqual(lines, [
    [{ store: 'memory', operation: 'put', key: 'a', bytes: 5, ms: 10, outcome: 'ok' }, 'store request'],
    [{ store: 'memory', operation: 'head', key: 'b', ms: 10, outcome: 'object-missing' }, 'store request'],
  ]);
});
