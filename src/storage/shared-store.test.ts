import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { MemoryStore } from './memory/driver.ts';
import type { ObjectStore } from './object-store.ts';
import type { StorageOptions } from './options.ts';
import { passOn } from './pass-on.ts';
import { SharedStores } from './shared-store.ts';

const idleMs = 30;

function optionsOf(directory: string): StorageOptions {
  return { storage_type: 'local', directory } as StorageOptions;
}

/** Stores that count how often they are opened and closed. */
function counted(open: () => Promise<ObjectStore> = async () => new MemoryStore()) {
  const count = { opened: 0, closed: 0 };
  const stores = new SharedStores(async () => {
    count.opened++;
    const store = await open();
    return { ...passOn(store), close: async () => void count.closed++ };
  }, idleMs);
  return { stores, count };
}

test('whoever asks while a store is open gets the same one', async () => {
  const { stores, count } = counted();
  const [one, two] = await Promise.all([stores.borrow(optionsOf('/a')), stores.borrow(optionsOf('/a'))]);
  await one.put('x', { size: 0, open: async function* () {} }, { metadata: {} });
  assert.equal((await two.head('x')).size, 0);
  await one.close();
  await delay(2 * idleMs);
  assert.deepEqual(count, { opened: 1, closed: 0 });
  await two.close();
  await stores.borrow(optionsOf('/b'));
  assert.equal(count.opened, 2);
});

test('one that nobody uses for some time is closed, and opened anew for who comes later', async () => {
  const { stores, count } = counted();
  const first = await stores.borrow(optionsOf('/a'));
  await first.close();
  const soon = await stores.borrow(optionsOf('/a'));
  assert.equal(count.opened, 1);
  await soon.close();
  await delay(3 * idleMs);
  assert.deepEqual(count, { opened: 1, closed: 1 });
  await stores.borrow(optionsOf('/a'));
  assert.equal(count.opened, 2);
});

test('given back twice counts once', async () => {
  const { stores, count } = counted();
  const [one, two] = await Promise.all([stores.borrow(optionsOf('/a')), stores.borrow(optionsOf('/a'))]);
  await one.close();
  await one.close();
  await delay(3 * idleMs);
  assert.equal(count.closed, 0, 'the other one still uses it');
  await two.close();
});

test('one that cannot be opened is tried again by the next', async () => {
  let works = false;
  const { stores, count } = counted(async () => {
    if (!works) throw new Error('not now');
    return new MemoryStore();
  });
  const both = await Promise.allSettled([stores.borrow(optionsOf('/a')), stores.borrow(optionsOf('/a'))]);
  assert.deepEqual([both.map(({ status }) => status), count.opened], [['rejected', 'rejected'], 1]);
  works = true;
  await stores.borrow(optionsOf('/a'));
  assert.equal(count.opened, 2);
});
