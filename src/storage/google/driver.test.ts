import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { TestGcs } from '../../../test/support/services/gcs.ts';
import { bytesOf, collect, read } from '../contract-tools.ts';
import { openStore } from '../drivers.ts';
import { GoogleStore } from './driver.ts';
import { testOptions } from './test-options.ts';

const metadata = { 'start-time': '2026-11-22T23:39:52+00:00' };
const noQuery = new URLSearchParams();

let gcs: TestGcs;
let store: GoogleStore;
before(async () => {
  gcs = await TestGcs.start();
});
after(() => gcs[Symbol.asyncDispose]());
beforeEach(async () => {
  gcs.buckets.clear();
  gcs.buckets.create('backups', { hasObjectRetention: true });
  gcs.faults.length = 0;
  gcs.log.length = 0;
  store = await open();
});
afterEach(() => store.close());

const open = (more: Record<string, unknown> = {}): Promise<GoogleStore> => GoogleStore.open(testOptions(gcs, more), { silenceMs: 2_000 });
const bucket = () => gcs.bucket('backups');

/** As PGHoard for Python stores it: content type, metadata with its own `Content-Length`. */
test('objects of the original are read', async () => {
  const theirs = { 'compression-algorithm': 'snappy', 'original-file-size': '16777216', 'pg-version': '130003', 'Content-Length': '7' };
  bucket().put({ name: 'site/xlog/000000010000000000000001', metadata: theirs }, Buffer.from('content'), noQuery);
  const { entry } = await store.get('site/xlog/000000010000000000000001');
  assert.deepEqual({ ...entry.metadata }, theirs);
  assert.deepEqual(
    (await collect(store.list('site/xlog/'))).map(({ size }) => size),
    [7],
  );
  assert.equal(await read(store, 'site/xlog/000000010000000000000001'), 'content');
});

test('keys that begin with a slash are kept as the original wrote them', async () => {
  for (const name of ['/abs/site/xlog/1', 'abs/site/xlog/2']) bucket().put({ name }, Buffer.from(name), noQuery);
  const absolute = await openStore(testOptions(gcs, { prefix: '/' }));
  assert.deepEqual(
    (await collect(absolute.list('abs/site/'))).map(({ key }) => key),
    ['abs/site/xlog/1'],
  );
  assert.equal(await read(absolute, 'abs/site/xlog/1'), '/abs/site/xlog/1');
  await absolute.put('abs/site/xlog/3', bytesOf('3'), { metadata, createOnly: true });
  await absolute.deleteMany(['abs/site/xlog/1', 'abs/site/xlog/2']);
  await absolute.close();
  assert.deepEqual([...bucket().objects.keys()].toSorted(), ['/abs/site/xlog/3', 'abs/site/xlog/2']);
});

test('what looks like a directory is not listed', async () => {
  for (const name of ['a/', 'a/b', 'a/c/']) bucket().put({ name }, Buffer.alloc(0), noQuery);
  assert.deepEqual(
    (await collect(store.list(''))).map(({ key }) => key),
    ['a/b'],
  );
});

test('listings come page by page, and go on after a key with what follows it', async () => {
  const names = Array.from({ length: 2_100 }, (_, i) => `n/${String(i).padStart(5, '0')}`);
  for (const name of names) bucket().put({ name }, Buffer.alloc(1), noQuery);
  assert.deepEqual(
    (await collect(store.list('n/'))).map(({ key }) => key),
    names,
  );
  assert.equal(gcs.log.filter(({ path }) => path.includes('/o?')).length, 3);
  assert.deepEqual(
    (await collect(store.list('n/', { after: 'n/02097' }))).map(({ key }) => key),
    names.slice(2_098),
  );
});

test('an object that is replaced before it is read gives no bytes of its successor', async () => {
  await store.put('one', bytesOf('first'), { metadata });
  const { bytes } = await store.get('one');
  await store.put('one', bytesOf('other'), { metadata });
  await assert.rejects(collect(bytes), { code: 'store-failed', retryable: true, message: /was replaced/ });
});

test('a body that came damaged is told from the object', async () => {
  await store.put('one', bytesOf('content'), { metadata });
  bucket().find('one').bytes.write('C');
  await assert.rejects(read(store, 'one'), { code: 'object-corrupt', message: /one of google bucket backups came damaged/ });
  assert.equal(await read(store, 'one', { start: 1, end: 7 }), 'ontent');
});

test('an object that others stored packed comes as it is stored', async () => {
  bucket().put({ name: 'packed', contentEncoding: 'gzip' }, Buffer.from('packed bytes'), noQuery);
  const asked: (string | undefined)[] = [];
  gcs.faults.push(({ url, headers }) => {
    if (url?.includes('alt=media')) asked.push(headers['accept-encoding']);
    return undefined;
  });
  await store.put('plain', bytesOf('plain bytes'), { metadata });
  assert.equal(await read(store, 'packed'), 'packed bytes');
  assert.equal(await read(store, 'plain'), 'plain bytes');
  assert.deepEqual(asked, ['gzip', undefined]);
});

test('a range that begins behind the object is empty', async () => {
  await store.put('one', bytesOf('content'), { metadata });
  assert.equal(await read(store, 'one', { start: 7, end: 9 }), '');
  assert.equal(await read(store, 'one', { start: 100, end: 200 }), '');
});

test('what a lock keeps is said to be locked, and until when', async () => {
  const locking = await open({ object_lock_days: 2 });
  await locking.put('locked', bytesOf('x'), { metadata });
  await locking.put('lease', bytesOf('x'), { metadata, isShortLived: true });
  await locking.close();
  await store.delete('lease');
  const until = new Date(bucket().find('locked').retention?.retainUntilTime ?? '');
  await store.put('free', bytesOf('x'), { metadata });
  for (const work of [() => store.delete('locked'), () => store.put('locked', bytesOf('y'), { metadata })])
    await assert.rejects(work, { code: 'object-locked', until, message: new RegExp(until.toISOString()) });
  assert.deepEqual(await store.deleteMany(['free', 'locked', 'never/was']), [{ key: 'locked', until }]);
  assert.deepEqual([...bucket().objects.keys()], ['locked']);
});

test('a policy of the bucket locks, too', async () => {
  await store.put('one', bytesOf('x'), { metadata });
  bucket().retentionSeconds = 3_600;
  const until = new Date(Date.parse(bucket().find('one').timeCreated) + 3_600_000);
  await assert.rejects(store.delete('one'), { code: 'object-locked', until });
  assert.deepEqual(await store.deleteMany(['one']), [{ key: 'one', until }]);
});

test('a hold locks without an end', async () => {
  bucket().put({ name: 'held', temporaryHold: true }, Buffer.from('x'), noQuery);
  assert.deepEqual(await store.deleteMany(['held']), [{ key: 'held', until: undefined }]);
});

test('many objects are deleted in batches of 100', async () => {
  const names = Array.from({ length: 250 }, (_, i) => `many/${i} ünï`);
  for (const name of names) bucket().put({ name }, Buffer.alloc(1), noQuery);
  gcs.log.length = 0;
  assert.deepEqual(await store.deleteMany(names), []);
  assert.equal(bucket().objects.size, 0);
  assert.deepEqual(
    gcs.log.filter(({ path }) => path !== '/token').map(({ path }) => path),
    Array(3).fill('/batch/storage/v1'),
  );
});

test('an endpoint without batches gets one request per object', async () => {
  for (const name of ['a', 'b']) bucket().put({ name }, Buffer.alloc(1), noQuery);
  gcs.failNext(/\/batch\//, { status: 404 });
  assert.deepEqual(await store.deleteMany(['a', 'b', 'c']), []);
  assert.equal(bucket().objects.size, 0);
});

test('an answer to a batch that leaves out an object is none', async () => {
  await store.put('a', bytesOf('x'), { metadata });
  gcs.failNext(/\/batch\//, { status: 200, headers: { 'content-type': 'multipart/mixed; boundary=b' }, body: '--b--' });
  await assert.rejects(store.deleteMany(['a']), { code: 'store-unreachable', retryable: true });
});

test('without its bucket, nothing is said of objects', async () => {
  gcs.buckets.clear();
  const missing = { code: 'store-missing', retryable: false };
  await assert.rejects(store.head('one'), missing);
  await assert.rejects(store.put('one', bytesOf('x'), { metadata }), missing);
  await assert.rejects(store.delete('one'), missing);
  await assert.rejects(store.deleteMany(['one']), missing);
  await assert.rejects(collect(store.list('')), missing);
});

test('a bucket is made in the project, by one of many, and never twice', async () => {
  gcs.buckets.clear();
  await assert.rejects(store.create(), { code: 'store-missing', hint: /project_id/ });
  const owner = await open({ project_id: 'test-project', object_lock_days: 1 });
  await Promise.all([owner.create(), owner.create(), owner.create()]);
  await owner.close();
  assert.equal(bucket().hasObjectRetention, true);
  await store.create();
});

test('who may not list takes the bucket for made', async () => {
  gcs.faults.push(({ method, url }) => (method === 'GET' && url?.includes('/o?') ? { status: 403 } : undefined));
  await store.create();
});

const refusal = (status: number, reason: string, headers: Record<string, string> = {}) => ({
  status,
  headers,
  body: JSON.stringify({ error: { code: status, message: 'as the test wants', errors: [{ reason }] } }),
});

for (const [fault, expected] of [
  [refusal(403, 'rateLimitExceeded', { 'retry-after': '3' }), { code: 'store-throttled', retryable: true, retryAfterMs: 3_000 }],
  [refusal(503, 'backendError', { 'retry-after': '2' }), { code: 'store-throttled', retryable: true, retryAfterMs: 2_000 }],
  [refusal(403, 'accountDisabled'), { code: 'store-denied', retryable: false, hint: /billing/ }],
  [refusal(403, 'forbidden'), { code: 'store-denied', retryable: false }],
  [refusal(500, 'backendError'), { code: 'store-unreachable', retryable: true }],
  [refusal(412, 'conditionNotMet'), { code: 'store-failed', retryable: false }],
] as const) {
  test(`status ${fault.status} for ${JSON.parse(fault.body).error.errors[0].reason} is ${expected.code}`, async () => {
    gcs.faults.push(({ url }) => (url === '/token' ? undefined : fault));
    await assert.rejects(store.head('one'), expected);
    await assert.rejects(store.deleteMany(['one']), expected);
  });
}

test('where somebody on the way knows no ranges, the bytes are those that were asked for all the same', async () => {
  await store.put('x', bytesOf('0123456789'), { metadata });
  gcs.faults.push(({ headers }) => {
    delete headers.range;
    return undefined;
  });
  assert.equal(await read(store, 'x', { start: 3, end: 6 }), '345');
  assert.equal(await read(store, 'x', { start: 8, end: 99 }), '89');
});

test('a listing that never goes on ends', async () => {
  const page = { kind: 'storage#objects', nextPageToken: 'again', items: [] };
  gcs.faults.push(({ url }) => (url?.includes('/o?') ? { status: 200, body: JSON.stringify(page) } : undefined));
  await assert.rejects(collect(store.list('')), { code: 'store-unreachable', retryable: true });
});
