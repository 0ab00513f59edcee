import assert from 'node:assert/strict';
import { bytesOf, collect, type Fact } from './contract-tools.ts';
import { compareKeys } from './key-order.ts';
import type { ListOptions, ObjectStore } from './object-store.ts';

/** In ascending byte order; `-` and `.` sort before `/`, digits after it, and the elephant (four bytes) after the full-width A (three). */
const keys = ['a', 'b-c', 'b.c', 'b/1', 'b/a-', 'b/a/1', 'b/a/2', 'b/a0', 'b0', 'ba', 'z/Ａ', 'z/🐘'];

async function fill(store: ObjectStore, names: readonly string[] = keys): Promise<void> {
  for (const name of names.toReversed()) await store.put(name, bytesOf(name), { metadata: { name: 'x' } });
}

async function listed(store: ObjectStore, prefix: string, options?: ListOptions): Promise<string[]> {
  return (await collect(store.list(prefix, options))).map(({ key }) => key);
}

async function listsInOrder(store: ObjectStore): Promise<void> {
  await fill(store);
  assert.deepEqual(await listed(store, ''), keys);
}

async function listTellsSizeAndTime(store: ObjectStore): Promise<void> {
  await store.put('one', bytesOf('hello'), { metadata: {} });
  const head = await store.head('one');
  const [entry] = await collect(store.list(''));
  assert.equal(entry?.size, 5);
  assert.ok(Math.abs((entry?.lastModified.getTime() ?? 0) - head.lastModified.getTime()) < 2_000);
}

async function prefixIsText(store: ObjectStore): Promise<void> {
  await fill(store);
  assert.deepEqual(await listed(store, 'b/'), ['b/1', 'b/a-', 'b/a/1', 'b/a/2', 'b/a0']);
  assert.deepEqual(await listed(store, 'b'), ['b-c', 'b.c', 'b/1', 'b/a-', 'b/a/1', 'b/a/2', 'b/a0', 'b0', 'ba']);
  assert.deepEqual(await listed(store, 'b/a'), ['b/a-', 'b/a/1', 'b/a/2', 'b/a0']);
  assert.deepEqual(await listed(store, 'b/a/1'), ['b/a/1']);
}

async function emptyLists(store: ObjectStore): Promise<void> {
  assert.deepEqual(await listed(store, ''), []);
  await fill(store);
  assert.deepEqual(await listed(store, 'none/'), []);
  assert.deepEqual(await listed(store, 'a/'), []);
  assert.deepEqual(await listed(store, 'b/a/3'), []);
}

async function afterIsExclusive(store: ObjectStore): Promise<void> {
  await fill(store);
  for (const [i, key] of keys.entries()) assert.deepEqual(await listed(store, '', { after: key }), keys.slice(i + 1), `after ${key}`);
  assert.deepEqual(await listed(store, '', { after: 'b/a/15' }), keys.slice(keys.indexOf('b/a/2')));
  assert.deepEqual(await listed(store, 'b/', { after: 'b/a/\u{10ffff}' }), ['b/a0']);
  assert.deepEqual(await listed(store, 'b/', { after: 'a' }), ['b/1', 'b/a-', 'b/a/1', 'b/a/2', 'b/a0']);
}

async function manyKeys(store: ObjectStore): Promise<void> {
  const names = Array.from({ length: 130 }, (_, i) => `many/${String(i * 7919).padStart(8, '0')}`).toSorted(compareKeys);
  await Promise.all(names.map((name) => store.put(name, bytesOf('x'), { metadata: {} })));
  assert.deepEqual(await listed(store, 'many/'), names);
}

async function mayBeLeft(store: ObjectStore): Promise<void> {
  await fill(store);
  for await (const { key } of store.list('')) {
    assert.equal(key, 'a');
    break;
  }
}

async function deletingWhileListing(store: ObjectStore): Promise<void> {
  await fill(store);
  for await (const { key } of store.list('b')) await store.delete(key);
  assert.deepEqual(await listed(store, ''), ['a', 'z/Ａ', 'z/🐘']);
}

async function nothingAfterTheLast(store: ObjectStore): Promise<void> {
  await fill(store);
  assert.deepEqual(await listed(store, '', { after: 'z/🐘' }), []);
  assert.deepEqual(await listed(store, 'b/', { after: 'c' }), []);
}

async function abortedListingStops(store: ObjectStore): Promise<void> {
  await fill(store);
  const stop = new AbortController();
  const seen: string[] = [];
  const listAll = async () => {
    for await (const { key } of store.list('', { signal: stop.signal })) {
      seen.push(key);
      stop.abort(new Error('stopped by the test'));
    }
  };
  await assert.rejects(listAll(), /stopped by the test/);
  assert.deepEqual(seen, ['a']);
}

async function hostilePrefixRefused(store: ObjectStore): Promise<void> {
  for (const prefix of ['../', '..', '/etc/', 'a/../../', 'a/..', 'nul\0']) {
    await assert.rejects(listed(store, prefix), { code: 'object-key-invalid' }, JSON.stringify(prefix));
  }
}

export const facts: readonly Fact[] = [
  { fact: 'keys come back in ascending byte order, whatever the nesting', holds: listsInOrder, kind: 'essential' },
  { fact: 'a listing tells size and time', holds: listTellsSizeAndTime },
  { fact: 'a prefix is the beginning of a key, not a directory', holds: prefixIsText, kind: 'essential' },
  { fact: 'a prefix without objects is an empty list', holds: emptyLists },
  { fact: 'a listing can start after a key', holds: afterIsExclusive },
  { fact: 'nothing is listed after the last key', holds: nothingAfterTheLast },
  { fact: 'a listing stops when the signal is aborted', holds: abortedListingStops },
  { fact: 'a listing of many keys is whole and in order', holds: manyKeys },
  { fact: 'a listing may be left early', holds: mayBeLeft },
  { fact: 'objects may be deleted while they are listed', holds: deletingWhileListing },
  { fact: 'a prefix that leads out of the store is refused', holds: hostilePrefixRefused },
];
