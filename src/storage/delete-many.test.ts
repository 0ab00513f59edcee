import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FaultyStore } from '../../test/support/store.ts';
import { bytesOf, collect } from './contract-tools.ts';
import { deleteAll, deleteOneByOne, ObjectLockedError } from './delete-many.ts';
import { MemoryStore } from './memory/driver.ts';
import { deleteManyMax, type LockedObject, type ObjectStore } from './object-store.ts';

const early = new Date('2026-11-23T00:00:00Z');
const late = new Date('2027-11-23T00:00:00Z');

/** Keeps keys that name a lock. */
function lockingStore(untilByKey: Readonly<Record<string, Date | undefined>>) {
  const batches: (readonly string[])[] = [];
  const deleteMany: ObjectStore['deleteMany'] = async (given) => {
    batches.push(given);
    return given.flatMap((key): LockedObject[] => (key in untilByKey ? [{ key, until: untilByKey[key] }] : []));
  };
  return { store: { deleteMany }, batches };
}

function keys(count: number): string[] {
  return Array.from({ length: count }, (_, i) => String(i));
}

for (const count of [0, 1, deleteManyMax - 1, deleteManyMax, deleteManyMax + 1, 2 * deleteManyMax + 500]) {
  test(`${count} keys go in batches that the store takes`, async () => {
    const { store, batches } = lockingStore({});
    assert.deepEqual(await deleteAll(store, keys(count)), { objects: 0, until: undefined });
    assert.deepEqual(batches.flat(), keys(count));
    assert.equal(batches.length, Math.ceil(count / deleteManyMax));
  });
}

test('locks are counted over all batches, and the last one to end is told', async () => {
  const { store } = lockingStore({ '3': early, '1500': late, '1501': undefined });
  assert.deepEqual(await deleteAll(store, keys(1_600)), { objects: 3, until: late });
  const { store: silent } = lockingStore({ '3': undefined });
  assert.deepEqual(await deleteAll(silent, keys(5)), { objects: 1, until: undefined });
});

test('each batch is told with what stays of it', async () => {
  const { store } = lockingStore({ '1': early });
  const told: [number, number][] = [];
  await deleteAll(store, keys(1_001), { onBatch: (batch, locked) => void told.push([batch.length, locked.length]) });
  assert.deepEqual(told, [
    [1000, 1],
    [1, 0],
  ]);
});

test('a listing that fails ends it, after what came before was deleted or not at all', async () => {
  const { store, batches } = lockingStore({});
  const listing = async function* () {
    yield* keys(deleteManyMax + 10);
    throw new Error('the listing failed (injected)');
  };
  await assert.rejects(deleteAll(store, listing()), /injected/);
  assert.equal(batches.length, 1);
});

test('one by one: locks are gathered, other failures are thrown and stop it', async () => {
  const store = new FaultyStore(new MemoryStore());
  for (const key of keys(40)) await store.put(key, bytesOf('x'), { metadata: {} });
  store.inject({ operation: 'delete', key: /^7$/, how: 'refuse', error: new ObjectLockedError('7', 'memory', late) });
  assert.deepEqual(await deleteOneByOne(store, keys(20), {}), [{ key: '7', until: late }]);
  assert.equal((await collect(store.list(''))).length, 21);
  store.inject({ operation: 'delete', key: /^20$/, how: 'refuse' });
  await assert.rejects(deleteOneByOne(store, keys(40).slice(20), {}), { code: 'store-unreachable' });
  assert.ok((await collect(store.list(''))).length > 1, 'it went on to the end');
});

test('the message of a locked object says until when, as far as it is known', () => {
  assert.match(new ObjectLockedError('a/b', 'the store', late).message, /a\/b in the store is locked until 2027-11-23T00:00:00.000Z$/);
  assert.match(new ObjectLockedError('a/b', 'the store', undefined).message, /a\/b in the store is locked$/);
});
