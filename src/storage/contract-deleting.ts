import assert from 'node:assert/strict';
import { systemClock } from '../lib/clock.ts';
import { bytesOf, collect, type Fact, read } from './contract-tools.ts';
import { deleteAll } from './delete-many.ts';
import type { ObjectStore } from './object-store.ts';

const metadata = { 'start-time': '2026-11-22T23:39:52+00:00' };

async function deletes(store: ObjectStore): Promise<void> {
  await store.put('dir/one', bytesOf('1'), { metadata });
  await store.put('dir/one2', bytesOf('2'), { metadata });
  await store.delete('dir/one');
  await assert.rejects(store.head('dir/one'), { code: 'object-missing' });
  assert.equal(await read(store, 'dir/one2'), '2');
}

async function deletesWhatIsGone(store: ObjectStore): Promise<void> {
  await store.put('dir/one', bytesOf('1'), { metadata });
  await store.delete('dir/one');
  await store.delete('dir/one');
  await store.delete('never/was');
  await store.delete('dir');
}

async function deletesMany(store: ObjectStore): Promise<void> {
  const names = Array.from({ length: 25 }, (_, i) => `many/${i}`);
  await Promise.all(names.map((name) => store.put(name, bytesOf(name), { metadata })));
  await store.put('manyx', bytesOf('x'), { metadata });
  assert.deepEqual(await store.deleteMany([...names, 'many/never/was']), []);
  assert.deepEqual(
    (await collect(store.list(''))).map(({ key }) => key),
    ['manyx'],
  );
  assert.deepEqual(await store.deleteMany([]), []);
}

async function deletesOddNames(store: ObjectStore): Promise<void> {
  const names = ['a b', 'plus+percent%2Fhash#', '<xml>&amp;', 'ünïcödé-🐘', 'quote\'"'];
  for (const name of names) await store.put(`odd/${name}`, bytesOf(name), { metadata });
  await store.deleteMany(names.map((name) => `odd/${name}`));
  assert.deepEqual(await collect(store.list('odd/')), []);
}

async function deletesWhatIsListed(store: ObjectStore): Promise<void> {
  for (const name of ['a/1', 'a/2', 'b']) await store.put(name, bytesOf(name), { metadata });
  const keys = (async function* () {
    for await (const { key } of store.list('a/')) yield key;
  })();
  assert.deepEqual(await deleteAll(store, keys), { objects: 0, until: undefined });
  assert.deepEqual(
    (await collect(store.list(''))).map(({ key }) => key),
    ['b'],
  );
}

async function finishedStay(store: ObjectStore): Promise<void> {
  await store.put('dir/one', bytesOf('1'), { metadata });
  await store.removeUnfinished('dir/', { before: new Date(systemClock.now().getTime() + 60_000) });
  assert.equal(await read(store, 'dir/one'), '1');
}

async function createsOnce(store: ObjectStore): Promise<void> {
  await store.put('one', bytesOf('1'), { metadata });
  await store.create();
  assert.equal(await read(store, 'one'), '1');
}

async function deletesNothingHostile(store: ObjectStore): Promise<void> {
  await store.put('one', bytesOf('1'), { metadata });
  for (const key of ['../up', '/abs', 'a//b', '.hidden', ''])
    await assert.rejects(store.deleteMany(['one', key]), { code: 'object-key-invalid' }, JSON.stringify(key));
  assert.equal(await read(store, 'one'), '1');
}

async function deletesNothingOnceAborted(store: ObjectStore): Promise<void> {
  await store.put('one', bytesOf('1'), { metadata });
  const signal = AbortSignal.abort(new Error('stopped by the test'));
  await assert.rejects(store.deleteMany(['one'], { signal }), /stopped by the test/);
  assert.equal(await read(store, 'one'), '1');
}

export const facts: readonly Fact[] = [
  { fact: 'a deleted object is gone, and only that', holds: deletes, kind: 'essential' },
  { fact: 'deleting what is gone succeeds', holds: deletesWhatIsGone },
  { fact: 'many objects are deleted at once, and what is gone does not matter', holds: deletesMany, kind: 'essential' },
  { fact: 'objects with odd names are deleted at once, too', holds: deletesOddNames },
  { fact: 'of many keys none is deleted where one would lead out of the store', holds: deletesNothingHostile },
  { fact: 'of many objects none is deleted once the signal is aborted', holds: deletesNothingOnceAborted },
  { fact: 'all that is listed can be deleted', holds: deletesWhatIsListed },
  { fact: 'removing what is unfinished leaves what is finished', holds: finishedStay },
  { fact: 'creating a store that is there changes nothing', holds: createsOnce },
];
