import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { TestGcs } from '../../../test/support/services/gcs.ts';
import { bytesOf, failingSource, patternSource, read } from '../contract-tools.ts';
import type { ObjectStore } from '../object-store.ts';
import { GoogleStore } from './driver.ts';
import { testOptions } from './test-options.ts';

const unitBytes = 256 * 1024;
const chunkBytes = 4 * unitBytes;
const largeBytes = 2 * chunkBytes + 1_234;
const metadata = { 'start-time': '2026-11-22T23:39:52+00:00' };

let gcs: TestGcs;
let store: GoogleStore;
/** `Content-Range` of everything sent to upload sessions. */
let ranges: string[];

before(async () => {
  gcs = await TestGcs.start();
});
after(() => gcs[Symbol.asyncDispose]());

beforeEach(async () => {
  gcs.buckets.clear();
  gcs.buckets.create('backups', { hasObjectRetention: true });
  gcs.uploads.sessions.clear();
  gcs.log.length = 0;
  gcs.faults.length = 0;
  ranges = [];
  gcs.faults.push(({ headers }) => {
    if (headers['content-range'] !== undefined) ranges.push(headers['content-range']);
    return undefined;
  });
  store = await open();
});
afterEach(() => store.close());

function open(more: Record<string, unknown> = {}): Promise<GoogleStore> {
  return GoogleStore.open(testOptions(gcs, more), { chunkBytes, silenceMs: 2_000 });
}

const chunks = [
  `bytes 0-${chunkBytes - 1}/${largeBytes}`,
  `bytes ${chunkBytes}-${2 * chunkBytes - 1}/${largeBytes}`,
  `bytes ${2 * chunkBytes}-${largeBytes - 1}/${largeBytes}`,
] as const;

function putLarge(options: { createOnly?: boolean; signal?: AbortSignal } = {}) {
  return store.put('large', patternSource(largeBytes).source, { metadata, ...options });
}

async function assertWhole(other: ObjectStore = store): Promise<void> {
  let position = 0;
  for await (const piece of (await other.get('large')).bytes) {
    assert.ok(patternSource(largeBytes).matches(piece, position), `bytes differ after ${position}`);
    position += piece.length;
  }
  assert.equal(position, largeBytes);
}

/** Those that the store would keep for a week. */
function openSessions(): number {
  return [...gcs.uploads.sessions.values()].filter(({ done }) => done === undefined).length;
}

test('a small object is one request', async () => {
  const entry = await store.put('one', bytesOf('content'), { metadata });
  assert.deepEqual(
    gcs.log.filter(({ path }) => path !== '/token').map(({ method, status }) => `${method} ${status}`),
    ['POST 200'],
  );
  assert.equal(entry.digest, '9a0364b9e99bb480dd25e1f0284c8555');
  assert.deepEqual(entry.metadata, metadata);
});

test('a large object goes in chunks of one session', async () => {
  await putLarge();
  assert.deepEqual(ranges, chunks);
  await assertWhole();
});

for (const [chunk, cut, from] of [
  [0, 100_000, 0],
  [0, unitBytes + 1, unitBytes],
  [1, 3 * unitBytes + 5_000, chunkBytes + 3 * unitBytes],
] as const) {
  test(`chunk ${chunk} that is cut after ${cut} bytes goes on where the store says`, async () => {
    let sent = 0;
    gcs.faults.push(({ method }) => (method === 'PUT' && sent++ === chunk ? { cutAfterBytes: cut } : undefined));
    await putLarge();
    const rest = `bytes ${from}-${(chunk + 1) * chunkBytes - 1}/${largeBytes}`;
    assert.deepEqual(ranges, [...chunks.slice(0, chunk + 1), `bytes */${largeBytes}`, rest, ...chunks.slice(chunk + 1)]);
    await assertWhole();
  });
}

test('an upload whose last answer is lost has succeeded', async () => {
  let sent = 0;
  gcs.faults.push(({ method }) => (method === 'PUT' && sent++ === 2 ? 'lose answer' : undefined));
  await putLarge({ createOnly: true });
  assert.deepEqual(ranges, [...chunks, `bytes */${largeBytes}`]);
  await assertWhole();
});

for (const createOnly of [false, true]) {
  test(`one request whose answer is lost has succeeded (createOnly: ${createOnly})`, async () => {
    gcs.failNext(/uploadType=multipart/, 'lose answer');
    await store.put('one', bytesOf('content'), { metadata, createOnly });
    assert.equal(gcs.log.filter(({ method, path }) => method === 'POST' && path !== '/token').length, 1);
    assert.equal(await read(store, 'one'), 'content');
  });
}

test('what another has stored is not taken for the upload whose answer was lost', async () => {
  await store.put('one', bytesOf('of another'), { metadata });
  gcs.failNext(/uploadType=multipart/, 'reset');
  await assert.rejects(store.put('one', bytesOf('content'), { metadata, createOnly: true }), {
    code: 'store-unreachable',
    retryable: true,
  });
  await assert.rejects(store.put('one', bytesOf('content'), { metadata, createOnly: true }), { code: 'object-exists' });
});

test('a large object that only creates leaves what is there, also what came meanwhile', async () => {
  await store.put('large', bytesOf('first'), { metadata });
  await assert.rejects(putLarge({ createOnly: true }), { code: 'object-exists' });
  await store.delete('large');
  let sent = 0;
  gcs.faults.push(({ method }) => {
    if (method === 'PUT' && sent++ === 1) gcs.bucket('backups').put({ name: 'large' }, Buffer.from('meanwhile'), new URLSearchParams());
    return undefined;
  });
  await assert.rejects(putLarge({ createOnly: true }), { code: 'object-exists' });
  assert.equal(await read(store, 'large'), 'meanwhile');
  assert.equal(openSessions(), 0);
});

test('a source that fails or changes ends the session', async () => {
  await assert.rejects(store.put('large', failingSource(chunkBytes + 1, largeBytes), { metadata }), /injected/);
  await assert.rejects(store.put('large', { ...patternSource(largeBytes).source, size: largeBytes + 1 }, { metadata }), {
    code: 'store-failed',
  });
  assert.equal(openSessions(), 0);
  assert.deepEqual([...gcs.bucket('backups').objects.keys()], []);
});

test('an upload that is aborted ends the session, also while the store says nothing', async () => {
  const stop = new AbortController();
  let sent = 0;
  gcs.faults.push(({ method }) => {
    if (method !== 'PUT' || sent++ < 1) return undefined;
    stop.abort(new Error('stopped by the test'));
    return 'never answer';
  });
  await assert.rejects(putLarge({ signal: stop.signal }), /stopped by the test/);
  assert.equal(openSessions(), 0);
});

test('a session that the store has forgotten is worth another upload', async () => {
  let sent = 0;
  gcs.faults.push(({ method }) => {
    if (method === 'PUT' && sent++ === 1) gcs.uploads.sessions.clear();
    return undefined;
  });
  await assert.rejects(putLarge(), { code: 'store-unreachable', retryable: true });
});

test('a session that has less than it acknowledged is worth another upload', async () => {
  let sent = 0;
  gcs.faults.push(({ method }) => {
    if (method !== 'PUT' || sent++ !== 1) return undefined;
    for (const session of gcs.uploads.sessions.values()) Object.assign(session, { size: 0, chunks: [] });
    return 'reset';
  });
  await assert.rejects(putLarge(), { code: 'store-unreachable', retryable: true });
  assert.equal(openSessions(), 0);
});

test('one request carries its checksum, so that the store can refuse what came damaged', async () => {
  gcs.failNext(/uploadType=multipart/, 'damage');
  await assert.rejects(store.put('one', bytesOf('content'), { metadata }), { code: 'store-failed', retryable: true, message: /CRC32C/ });
  assert.deepEqual([...gcs.bucket('backups').objects.keys()], []);
});

test('a chunked upload carries its checksum, so that the store can refuse it', async () => {
  let sent = 0;
  gcs.faults.push((request) => {
    if (request.method === 'PUT' && sent++ === 2) request.headers['x-goog-hash'] = 'crc32c=AAAAAA==';
    return undefined;
  });
  await assert.rejects(putLarge(), { code: 'store-failed' });
  assert.deepEqual([...gcs.bucket('backups').objects.keys()], []);
});

test('an object whose size or checksum differs is taken away again', async () => {
  for (const wrong of [{ size: '6' }, { crc32c: 'AAAAAA==' }]) {
    const bucket = gcs.bucket('backups');
    const honest = bucket.resourceOf.bind(bucket);
    bucket.resourceOf = (object) => ({ ...honest(object), ...wrong });
    await assert.rejects(store.put('one', bytesOf('content'), { metadata }), { code: 'store-failed', retryable: true });
    bucket.resourceOf = honest;
    assert.deepEqual([...bucket.objects.keys()], []);
  }
});

test('storage class, KMS key and retention go with every object', async () => {
  const kms_key_name = 'projects/p/locations/l/keyRings/r/cryptoKeys/k';
  const special = await open({ storage_class: 'NEARLINE', kms_key_name, object_lock_days: 3, object_lock_mode: 'compliance' });
  await special.put('one', bytesOf('content'), { metadata });
  await special.put('large', patternSource(largeBytes).source, { metadata });
  await special.close();
  for (const { storageClass, kmsKeyName, retention, timeCreated } of gcs.bucket('backups').objects.values()) {
    assert.deepEqual([storageClass, kmsKeyName, retention?.mode], ['NEARLINE', kms_key_name, 'Locked']);
    const days = (Date.parse(retention?.retainUntilTime ?? '') - Date.parse(timeCreated)) / 86_400_000;
    assert.ok(days > 2.99 && days < 3.01, String(days));
  }
  assert.equal(gcs.bucket('backups').objects.size, 2);
});
