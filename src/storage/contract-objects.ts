import assert from 'node:assert/strict';
import { bytesOf, collect, type Fact, read } from './contract-tools.ts';
import { sourceOfBytes } from './object-source.ts';
import type { ObjectStore } from './object-store.ts';

const metadata = { 'start-time': '2026-11-22T23:39:52+00:00' };

async function everyByteComesBack(store: ObjectStore): Promise<void> {
  const bytes = Uint8Array.from({ length: 1024 }, (_, i) => i & 0xff);
  await store.put('binary', sourceOfBytes(bytes), { metadata });
  const back = Buffer.concat(await collect((await store.get('binary')).bytes));
  assert.deepEqual(new Uint8Array(back), bytes);
}

async function putTellsWhatHeadTells(store: ObjectStore): Promise<void> {
  const put = await store.put('one', bytesOf('hello'), { metadata });
  const head = await store.head('one');
  assert.deepEqual([put.key, put.size, { ...put.metadata }], [head.key, head.size, { ...head.metadata }]);
  assert.ok(Math.abs(put.lastModified.getTime() - head.lastModified.getTime()) < 2_000, 'the times differ');
  if (put.digest !== undefined && head.digest !== undefined) assert.equal(put.digest, head.digest);
}

/** Readers that go on where they stopped, or read several ranges at once, tell by that that it is still the same object. */
async function answersAgree(store: ObjectStore): Promise<void> {
  await store.put('one', bytesOf('0123456789'), { metadata });
  const whole = (await store.get('one')).entry;
  const part = (await store.get('one', { range: { start: 2, end: 5 } })).entry;
  for (const other of [part, await store.head('one')]) {
    assert.deepEqual([other.size, other.lastModified.getTime()], [whole.size, whole.lastModified.getTime()]);
    if (other.digest !== undefined && whole.digest !== undefined) assert.equal(other.digest, whole.digest);
  }
}

async function rangeOfEmpty(store: ObjectStore): Promise<void> {
  await store.put('empty', bytesOf(''), { metadata });
  assert.equal(await read(store, 'empty', { start: 0, end: 100 }), '');
}

async function longKeys(store: ObjectStore): Promise<void> {
  const key = `${'d'.repeat(200)}/${'é'.repeat(90)}/${'f'.repeat(200)}`;
  await store.put(key, bytesOf('x'), { metadata });
  assert.equal(await read(store, key), 'x');
  assert.deepEqual(
    (await collect(store.list('d'))).map((entry) => entry.key),
    [key],
  );
}

export const facts: readonly Fact[] = [
  { fact: 'every byte comes back as it was', holds: everyByteComesBack },
  { fact: 'a put tells what a head then tells', holds: putTellsWhatHeadTells },
  { fact: 'a get, a get of a part and a head tell the same of an object', holds: answersAgree },
  { fact: 'a range of an empty object is empty', holds: rangeOfEmpty },
  { fact: 'long keys come back as they are', holds: longKeys },
];
