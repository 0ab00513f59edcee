import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { systemClock } from '../lib/clock.ts';
import { isOperatorError } from '../lib/errors.ts';
import { facts as deletingFacts } from './contract-deleting.ts';
import { facts as listingFacts } from './contract-listing.ts';
import { facts as objectFacts } from './contract-objects.ts';
import { bytesOf, collect, type Fact, failingSource, patternSource, read } from './contract-tools.ts';
import { sourceOfBytes } from './object-source.ts';
import type { ObjectStore } from './object-store.ts';

const metadata = { 'start-time': '2026-11-22T23:39:52+00:00', 'pg-version': '150020' };

/** Names that file systems, URLs and shells treat specially, and that must come back as they are. */
const oddNames = [
  'a b',
  '2022_12_10_2022-12-18 10:20:30.123456+00:00',
  'plus+percent%2Fhash#query?and&equals=',
  'ünïcödé-日本-🐘',
  'quote\'"back\\slash',
  'star*[bracket]{brace}$HOME~',
  'UPPER and lower',
  '-dash',
  'dots..inside',
];

async function putAndGet(store: ObjectStore): Promise<void> {
  const entry = await store.put('dir/one', bytesOf('hello'), { metadata });
  assert.equal(entry.key, 'dir/one');
  assert.equal(entry.size, 5);
  assert.equal(await read(store, 'dir/one'), 'hello');
}

async function headTells(store: ObjectStore): Promise<void> {
  const before = systemClock.now().getTime();
  await store.put('one', bytesOf('hello'), { metadata });
  const entry = await store.head('one');
  assert.deepEqual({ ...entry.metadata }, metadata);
  assert.equal(entry.size, 5);
  const ageMs = entry.lastModified.getTime() - before;
  assert.ok(ageMs > -60_000 && ageMs < 60_000, `last modified ${ageMs} ms after the put`);
}

async function getCarriesEntry(store: ObjectStore): Promise<void> {
  await store.put('one', bytesOf('hello'), { metadata });
  const { entry } = await store.get('one');
  assert.equal(entry.key, 'one');
  assert.equal(entry.size, 5);
  assert.deepEqual({ ...entry.metadata }, metadata);
}

async function fileHoldsObject(store: ObjectStore): Promise<void> {
  await store.put('one', bytesOf('hello'), { metadata });
  const { file } = await store.get('one');
  if (file !== undefined) assert.equal(await readFile(file, 'utf8'), 'hello');
  assert.equal((await store.get('one', { range: { start: 1, end: 3 } })).file, undefined);
}

async function missingIsMissing(store: ObjectStore): Promise<void> {
  await store.put('dir/one', bytesOf('x'), { metadata });
  for (const key of ['two', 'dir/two', 'dir', 'dir/one/two', 'no/such/dir']) {
    await assert.rejects(store.head(key), { code: 'object-missing' }, `head ${key}`);
    await assert.rejects(read(store, key), { code: 'object-missing' }, `get ${key}`);
  }
}

async function overwrites(store: ObjectStore): Promise<void> {
  await store.put('one', bytesOf('a longer first body'), { metadata: { round: '1', gone: 'yes' } });
  await store.put('one', bytesOf('second'), { metadata: { round: '2' } });
  assert.equal(await read(store, 'one'), 'second');
  assert.deepEqual({ ...(await store.head('one')).metadata }, { round: '2' });
}

async function overwritesWithSameMetadata(store: ObjectStore): Promise<void> {
  await store.put('one', bytesOf('first'), { metadata });
  await store.put('one', bytesOf('second'), { metadata });
  assert.equal(await read(store, 'one'), 'second');
}

async function createOnlyCreates(store: ObjectStore): Promise<void> {
  await store.put('new/one', bytesOf('first'), { metadata, createOnly: true });
  assert.equal(await read(store, 'new/one'), 'first');
}

async function createOnlyRefuses(store: ObjectStore): Promise<void> {
  await store.put('one', bytesOf('first'), { metadata: { round: '1' } });
  await assert.rejects(store.put('one', bytesOf('second'), { metadata: { round: '2' }, createOnly: true }), { code: 'object-exists' });
  assert.equal(await read(store, 'one'), 'first');
  assert.deepEqual({ ...(await store.head('one')).metadata }, { round: '1' });
}

async function createOnlyAfterDelete(store: ObjectStore): Promise<void> {
  await store.put('one', bytesOf('first'), { metadata });
  await store.delete('one');
  await store.put('one', bytesOf('second'), { metadata, createOnly: true });
  assert.equal(await read(store, 'one'), 'second');
}

async function oneCreatorWins(store: ObjectStore): Promise<void> {
  const puts = Array.from({ length: 8 }, (_, i) =>
    store.put('race', bytesOf(`writer ${i}`), { metadata: { writer: String(i) }, createOnly: true }),
  );
  const results = await Promise.allSettled(puts);
  const winners = results.flatMap((result, i) => (result.status === 'fulfilled' ? [i] : []));
  assert.equal(winners.length, 1);
  for (const result of results)
    if (result.status === 'rejected') assert.ok(isOperatorError(result.reason, 'object-exists'), String(result.reason));
  assert.equal(await read(store, 'race'), `writer ${winners[0]}`);
  assert.equal((await store.head('race')).metadata['writer'], String(winners[0]));
}

async function concurrentPutsAgree(store: ObjectStore): Promise<void> {
  await Promise.all(
    Array.from({ length: 8 }, (_, i) => store.put('race', bytesOf(`writer ${i} `.repeat(i + 1)), { metadata: { writer: String(i) } })),
  );
  const { writer } = (await store.head('race')).metadata;
  assert.equal(await read(store, 'race'), `writer ${writer} `.repeat(Number(writer) + 1));
}

async function emptyObject(store: ObjectStore): Promise<void> {
  await store.put('empty', sourceOfBytes(new Uint8Array()), { metadata });
  assert.equal((await store.head('empty')).size, 0);
  assert.equal(await read(store, 'empty'), '');
}

/** More than one part where a driver splits uploads at 5 MiB, and no multiple of anything. */
const largeBytes = 6 * 1024 * 1024 + 4_321;

async function largeObject(store: ObjectStore): Promise<void> {
  const source = patternSource(largeBytes);
  await store.put('large', source.source, { metadata });
  assert.equal((await store.head('large')).size, largeBytes);
  let position = 0;
  for await (const piece of (await store.get('large')).bytes) {
    assert.ok(source.matches(piece, position), `bytes differ after ${position}`);
    position += piece.length;
  }
  assert.equal(position, largeBytes);
}

async function ranges(store: ObjectStore): Promise<void> {
  await store.put('one', bytesOf('0123456789'), { metadata });
  const part = (start: number, end: number) => read(store, 'one', { start, end });
  assert.equal(await part(0, 10), '0123456789');
  assert.equal(await part(0, 1), '0');
  assert.equal(await part(3, 7), '3456');
  assert.equal(await part(9, 10), '9');
  assert.equal((await store.get('one', { range: { start: 3, end: 7 } })).entry.size, 10);
}

async function rangeBeyondEnd(store: ObjectStore): Promise<void> {
  await store.put('one', bytesOf('0123456789'), { metadata });
  assert.equal(await read(store, 'one', { start: 8, end: 1_000 }), '89');
}

async function oddNamesComeBack(store: ObjectStore): Promise<void> {
  for (const name of oddNames) await store.put(`odd/${name}/${name}`, bytesOf(name), { metadata });
  for (const name of oddNames) assert.equal(await read(store, `odd/${name}/${name}`), name);
  const listed: string[] = [];
  for await (const { key } of store.list('odd/')) listed.push(key);
  assert.deepEqual(listed.toSorted(), oddNames.map((name) => `odd/${name}/${name}`).toSorted());
}

async function hostileKeysRefused(store: ObjectStore): Promise<void> {
  for (const key of [
    '',
    '/abs',
    '../up',
    'a/../../up',
    'a/..',
    'a//b',
    'a/',
    './a',
    'nul\0',
    '.hidden',
    'a/.hidden/b',
    'a.metadata',
    'a.metadata_tmp',
  ]) {
    const shown = JSON.stringify(key);
    await assert.rejects(store.put(key, bytesOf('x'), { metadata }), { code: 'object-key-invalid' }, `put ${shown}`);
    await assert.rejects(store.head(key), { code: 'object-key-invalid' }, `head ${shown}`);
    await assert.rejects(read(store, key), { code: 'object-key-invalid' }, `get ${shown}`);
    await assert.rejects(store.delete(key), { code: 'object-key-invalid' }, `delete ${shown}`);
  }
}

async function metadataRoundTrip(store: ObjectStore): Promise<void> {
  const odd = {
    'a-b-c': 'x',
    'tablespace-path-16386': '/var/tmp/a b',
    'start-time': '2026-11-22 23:42:56.883472+00:00',
    host: 'vm',
    json: '{"a": "b"}',
  };
  await store.put('one', bytesOf('x'), { metadata: odd });
  assert.deepEqual({ ...(await store.head('one')).metadata }, odd);
  await store.put('two', bytesOf('x'), { metadata: {} });
  assert.deepEqual({ ...(await store.head('two')).metadata }, {});
}

async function emptyMetadataValues(store: ObjectStore): Promise<void> {
  await store.put('one', bytesOf('x'), { metadata: { empty: '', full: 'x' } });
  const found = (await store.head('one')).metadata;
  assert.equal(found['empty'] ?? '', '');
  assert.equal(found['full'], 'x');
}

async function failedPutLeavesNothing(store: ObjectStore): Promise<void> {
  await assert.rejects(store.put('torn', failingSource(100_000, 200_000), { metadata }), /injected/);
  await assert.rejects(store.head('torn'), { code: 'object-missing' });
  await assertNothingListed(store);
}

async function failedOverwriteKeepsOld(store: ObjectStore): Promise<void> {
  await store.put('one', bytesOf('first'), { metadata: { round: '1' } });
  await assert.rejects(store.put('one', failingSource(3, 6), { metadata: { round: '2' } }), /injected/);
  assert.equal(await read(store, 'one'), 'first');
  assert.deepEqual({ ...(await store.head('one')).metadata }, { round: '1' });
}

async function wrongSizeRefused(store: ObjectStore): Promise<void> {
  for (const size of [3, 7]) {
    await assert.rejects(store.put('one', { ...bytesOf('12345'), size }, { metadata }), { code: 'store-failed', retryable: false });
    await assert.rejects(store.head('one'), { code: 'object-missing' });
  }
}

async function abortedPutLeavesNothing(store: ObjectStore): Promise<void> {
  const stop = new AbortController();
  const source = {
    size: 2_000,
    async *open() {
      yield Buffer.alloc(1_000);
      stop.abort(new Error('stopped by the test'));
      await new Promise<never>(() => {});
    },
  };
  await assert.rejects(store.put('stopped', source, { metadata, signal: stop.signal }), /stopped by the test/);
  await assert.rejects(store.head('stopped'), { code: 'object-missing' });
  await assertNothingListed(store);
}

async function abortedBeforehand(store: ObjectStore): Promise<void> {
  await store.put('one', bytesOf('x'), { metadata });
  const signal = AbortSignal.abort(new Error('stopped by the test'));
  const stopped = /stopped by the test/;
  await assert.rejects(store.put('two', bytesOf('x'), { metadata, signal }), stopped);
  await assert.rejects(store.get('one', { signal }), stopped);
  await assert.rejects(store.head('one', { signal }), stopped);
  await assert.rejects(store.delete('one', { signal }), stopped);
  await assert.rejects(collect(store.list('', { signal })), stopped);
  assert.equal(await read(store, 'one'), 'x');
}

async function abortedGetStops(store: ObjectStore): Promise<void> {
  await store.put('large', patternSource(largeBytes).source, { metadata });
  const stop = new AbortController();
  const { bytes } = await store.get('large', { signal: stop.signal });
  const readOn = async () => {
    for await (const piece of bytes) if (piece.length > 0) stop.abort(new Error('stopped by the test'));
  };
  await assert.rejects(readOn(), /stopped by the test/);
}

async function bodyMayBeLeftUnread(store: ObjectStore): Promise<void> {
  await store.put('large', patternSource(largeBytes).source, { metadata });
  await store.get('large');
  for await (const piece of (await store.get('large')).bytes) {
    assert.ok(piece.length > 0);
    break;
  }
  assert.equal((await store.head('large')).size, largeBytes);
}

async function assertNothingListed(store: ObjectStore): Promise<void> {
  assert.deepEqual(await collect(store.list('')), []);
}

/** What every store must do, whatever stands behind it. Each fact gets a store without objects. */
export const objectStoreContract: readonly Fact[] = [
  { fact: 'what was put is got back', holds: putAndGet, kind: 'essential' },
  { fact: 'head tells size, time and metadata', holds: headTells, kind: 'essential' },
  { fact: 'get tells the entry with the body', holds: getCarriesEntry },
  { fact: 'a file that a body names holds the whole object, and a part of it names none', holds: fileHoldsObject },
  { fact: 'what is not there is object-missing, also a directory', holds: missingIsMissing, kind: 'essential' },
  { fact: 'a put replaces data and metadata', holds: overwrites, kind: 'essential' },
  { fact: 'a put replaces data where the metadata stays', holds: overwritesWithSameMetadata },
  { fact: 'create-only creates', holds: createOnlyCreates, kind: 'create-only' },
  { fact: 'create-only leaves what is there', holds: createOnlyRefuses, kind: 'create-only' },
  { fact: 'create-only works after a deletion', holds: createOnlyAfterDelete, kind: 'create-only' },
  { fact: 'of many creators of one key exactly one wins', holds: oneCreatorWins, kind: 'create-only' },
  { fact: 'concurrent puts of one key leave data and metadata of the same put', holds: concurrentPutsAgree },
  { fact: 'an empty object is an object', holds: emptyObject },
  { fact: 'a large object comes back whole', holds: largeObject },
  { fact: 'ranges are half open', holds: ranges, kind: 'essential' },
  { fact: 'a range may end beyond the object', holds: rangeBeyondEnd },
  { fact: 'odd names come back as they are', holds: oddNamesComeBack },
  { fact: 'keys that lead out of the store, or that it could not list, are refused', holds: hostileKeysRefused },
  { fact: 'metadata comes back as it was', holds: metadataRoundTrip, kind: 'essential' },
  { fact: 'metadata may have empty values', holds: emptyMetadataValues },
  { fact: 'a put whose body fails half-way leaves nothing behind', holds: failedPutLeavesNothing, kind: 'essential' },
  { fact: 'a failed replacement leaves the old object', holds: failedOverwriteKeepsOld },
  { fact: 'a body longer or shorter than announced is not stored', holds: wrongSizeRefused },
  { fact: 'a put that is aborted leaves nothing behind, also when its source hangs', holds: abortedPutLeavesNothing },
  { fact: 'nothing happens once the signal is aborted', holds: abortedBeforehand },
  { fact: 'a body stops when the signal is aborted', holds: abortedGetStops },
  { fact: 'a body may be left unread or half read', holds: bodyMayBeLeftUnread },
  ...objectFacts,
  ...deletingFacts,
  ...listingFacts,
];
