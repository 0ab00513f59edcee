import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StubRequest } from '../../../test/support/services/http-stub.ts';
import { S3Stub, s3Error, xml } from '../../../test/support/services/s3-stub.ts';
import { isOperatorError } from '../../lib/errors.ts';
import { bytesOf, collect, patternSource, read } from '../contract-tools.ts';
import type { ObjectStore } from '../object-store.ts';
import { openS3Store } from './driver.ts';

/** What no server that can be installed does, but stores, gateways and Amazon do. */

const metadata = { hash: 'abc' };
const partBytes = 5 * 1024 * 1024;

async function opened(stub: S3Stub, others: Readonly<Record<string, unknown>> = {}): Promise<ObjectStore & AsyncDisposable> {
  const store = await openS3Store(stub.options({ segment_size: partBytes, ...others }));
  return Object.assign(store, { [Symbol.asyncDispose]: () => store.close() });
}

test('a store that does not know create-only puts replaces nothing all the same, neither whole nor in parts', async () => {
  await using stub = await S3Stub.start();
  await using store = await opened(stub);
  await store.put('small', bytesOf('first'), { metadata, createOnly: true });
  await store.put('large', patternSource(partBytes + 1).source, { metadata: {}, createOnly: true });
  for (const key of ['small', 'large'])
    for (const source of [bytesOf('second'), patternSource(partBytes + 2).source])
      await assert.rejects(store.put(key, source, { metadata, createOnly: true }), { code: 'object-exists' });
  assert.equal(await read(store, 'small'), 'first');
  assert.equal((await store.head('large')).size, partBytes + 1);
});

test('who is overtaken by another creator in such a store is told, and the other object stays', async () => {
  await using stub = await S3Stub.start(({ method }, { objects }) => {
    const mine = objects.get('race');
    if (method === 'HEAD' && mine && mine.body.toString() === 'mine') objects.set('race', { ...mine, body: Buffer.from('theirs') });
    return undefined;
  });
  await using store = await opened(stub);
  await assert.rejects(store.put('race', bytesOf('mine'), { metadata: {}, createOnly: true }), { code: 'object-exists' });
  assert.equal(stub.objects.get('race')?.body.toString(), 'theirs');
});

test('an object that the store cut short is found out, and does not stand in the way of the next attempt', async () => {
  let cuts = 1;
  await using stub = await S3Stub.start(({ method }, { objects }) => {
    const found = objects.get('x');
    if (method === 'HEAD' && found && cuts-- > 0) objects.set('x', { ...found, body: Buffer.alloc(0) });
    return undefined;
  });
  await using store = await opened(stub);
  await assert.rejects(store.put('x', bytesOf('content'), { metadata, createOnly: true }), { code: 'store-failed', retryable: true });
  await store.put('x', bytesOf('content'), { metadata, createOnly: true });
  assert.equal(await read(store, 'x'), 'content');
});

test('an MD5 sum that is not that of what was sent is a failure, for a part as well', async () => {
  const other = { headers: { etag: '"00000000000000000000000000000000"' } };
  await using stub = await S3Stub.start(({ method, query }) => (method === 'PUT' && query.has('partNumber') ? other : undefined));
  await using store = await opened(stub);
  await assert.rejects(store.put('x', patternSource(partBytes + 1).source, { metadata }), { code: 'store-failed', message: /part [12]/ });
  await using stub2 = await S3Stub.start(({ method }, { objects }) =>
    method === 'HEAD' && objects.has('x')
      ? { headers: { ...objects.get('x')?.headers, 'content-length': '7', etag: '"00000000000000000000000000000000"' } }
      : undefined,
  );
  await using store2 = await opened(stub2);
  await assert.rejects(store2.put('x', bytesOf('content'), { metadata: { other: 'x' } }), { code: 'store-failed' });
});

test('where a key of KMS encrypts, an ETag that is no MD5 sum is none of a failure', async () => {
  const kms = { 'x-amz-server-side-encryption': 'aws:kms', etag: '"00000000000000000000000000000000"' };
  await using stub = await S3Stub.start(({ method }, { objects }) => {
    const found = objects.get('x');
    if (method === 'PUT' || !found) return undefined;
    return { headers: { ...found.headers, ...kms }, body: found.body };
  });
  await using store = await opened(stub);
  const entry = await store.put('x', bytesOf('content'), { metadata });
  assert.equal(entry.digest, undefined);
  assert.equal(await read(store, 'x'), 'content');
});

test('a bit that flips in the store or on the way is found out', async () => {
  await using stub = await S3Stub.start();
  await using store = await opened(stub);
  await store.put('x', bytesOf('content'), { metadata });
  const kept = stub.objects.get('x');
  if (kept) stub.objects.set('x', { ...kept, body: Buffer.from('cOntent') });
  await assert.rejects(read(store, 'x'), { code: 'object-corrupt' });
});

test('a store without deletion in batches gets single ones', async () => {
  await using stub = await S3Stub.start(({ method }) => (method === 'POST' ? s3Error(501, 'NotImplemented') : undefined));
  await using store = await opened(stub);
  for (const key of ['a', 'b']) await store.put(key, bytesOf(key), { metadata });
  assert.deepEqual(await store.deleteMany(['a', 'b', 'c']), []);
  assert.equal(stub.objects.size, 0);
});

test('of a batch, what cannot be deleted is named', async () => {
  const errors = '<Error><Key>a</Key><Code>InternalError</Code><Message>we failed</Message></Error>';
  await using stub = await S3Stub.start(({ method }) => (method === 'POST' ? xml(`<DeleteResult>${errors}</DeleteResult>`) : undefined));
  await using store = await opened(stub);
  await assert.rejects(store.deleteMany(['a']), { code: 'store-unreachable', message: /delete a:/, retryable: true });
});

test('batches carry the MD5 sum that older stores insist on, and no newer checksum', async () => {
  await using stub = await S3Stub.start(({ method }) => (method === 'POST' ? xml('<DeleteResult></DeleteResult>') : undefined));
  await using store = await opened(stub);
  await store.deleteMany(['a', 'with\u0001control']);
  const [batch, single] = stub.seen;
  assert.ok(batch && single);
  assert.match(String(batch.headers['content-md5']), /^[\w+/]{22}==$/);
  assert.deepEqual(
    Object.keys(batch.headers).filter((name) => name.includes('checksum')),
    [],
  );
  assert.deepEqual([single.method, single.path], ['DELETE', '/b/with%01control']);
});

const refusals: readonly (readonly [string, ReturnType<typeof s3Error>, { code: string; retryable?: boolean; hint?: RegExp }])[] = [
  ['an object in the cold', s3Error(403, 'InvalidObjectState'), { code: 'store-failed', retryable: false, hint: /thawed/ }],
  ['another region', s3Error(301, 'PermanentRedirect', '<Region>eu-central-1</Region>'), { code: 'store-failed', hint: /"eu-central-1"/ }],
  [
    'a region that signs otherwise',
    s3Error(400, 'AuthorizationHeaderMalformed', '<Region>x-y-1</Region>'),
    { code: 'store-failed', hint: /"x-y-1"/ },
  ],
  ['a suspended account', s3Error(403, 'AccountProblem'), { code: 'store-denied', hint: /suspended/ }],
  ['a clock that differs', s3Error(403, 'RequestTimeTooSkewed'), { code: 'store-denied', retryable: true, hint: /NTP/ }],
  ['a full store', s3Error(507, 'XMinioStorageFull'), { code: 'store-full', retryable: true }],
  ['a quota', s3Error(403, 'QuotaExceeded'), { code: 'store-full', retryable: true }],
  ['a request that is too old', s3Error(400, 'RequestTimeout'), { code: 'store-unreachable', retryable: true }],
  ['something else', s3Error(400, 'InvalidArgument'), { code: 'store-failed', retryable: false }],
];
for (const [what, answer, expected] of refusals)
  test(`${what} is told, by whatever is asked for`, async () => {
    await using stub = await S3Stub.start(() => answer);
    await using store = await opened(stub);
    for (const work of [
      () => store.head('x'),
      () => read(store, 'x'),
      () => store.put('x', bytesOf('x'), { metadata }),
      () => collect(store.list('')),
    ])
      await assert.rejects(work, expected);
  });

test('a date says how long a store wants to be left alone', async () => {
  const until = new Date(Math.ceil(performance.timeOrigin + performance.now()) + 30_000).toUTCString();
  await using stub = await S3Stub.start(() => ({ ...s3Error(503, 'SlowDown'), headers: { 'retry-after': until } }));
  await using store = await opened(stub);
  const failure = await store.head('x').catch((error: unknown) => error);
  assert.ok(isOperatorError(failure, 'store-throttled'));
  assert.ok(
    failure.retryAfterMs !== undefined && failure.retryAfterMs > 20_000 && failure.retryAfterMs <= 31_000,
    String(failure.retryAfterMs),
  );
});

test('no secret stands in what is said of a failure', async () => {
  await using stub = await S3Stub.start(() => s3Error(403, 'SignatureDoesNotMatch'));
  await using store = await opened(stub, { aws_secret_access_key: 'v-e-r-y', aws_session_token: 't-o-k-e-n' });
  const failure = await store.put('x', bytesOf('x'), { metadata }).catch((error: unknown) => error);
  const said = JSON.stringify(allOf(failure));
  assert.match(said, /SignatureDoesNotMatch/);
  assert.doesNotMatch(said, /v-e-r-y|t-o-k-e-n|AWS4-HMAC/);
});

test('metadata as the original wrote them are read: names in lower case, with its Content-Length', async () => {
  await using stub = await S3Stub.start();
  const headers = {
    'x-amz-meta-Start-Time': '2026-11-22T23:39:52+00:00',
    'x-amz-meta-Content-Length': '7',
    'x-amz-meta-pg-version': '150020',
  };
  stub.objects.set('old', { body: Buffer.from('content'), headers: { ...headers, 'last-modified': 'Mon, 30 Nov 2026 00:00:00 GMT' } });
  await using store = await opened(stub);
  const { metadata: found, size } = await store.head('old');
  assert.deepEqual({ ...found }, { 'start-time': '2026-11-22T23:39:52+00:00', 'content-length': '7', 'pg-version': '150020' });
  assert.equal(size, 7);
});

test('metadata beyond ASCII are refused before anything is sent', async () => {
  await using stub = await S3Stub.start();
  await using store = await opened(stub);
  for (const value of ['/ünïcödé', 'two\nlines', '\u007f'])
    await assert.rejects(store.put('x', bytesOf('x'), { metadata: { 'tablespace-path-1': value } }), {
      code: 'metadata-invalid',
      message: /tablespace-path-1/,
    });
  assert.deepEqual(stub.seen, []);
});

test('what consoles make in place of directories is not listed, and names come back with or without encoding', async () => {
  const entry = (key: string) => `<Contents><Key>${key}</Key><Size>1</Size><LastModified>2026-11-30T00:00:00Z</LastModified></Contents>`;
  for (const [encoding, plus] of [
    ['<EncodingType>url</EncodingType>', 'a+b%2B%C3%BC'],
    ['', 'a b+ü'],
  ]) {
    await using stub = await S3Stub.start(() =>
      xml(`<ListBucketResult><IsTruncated>false</IsTruncated>${encoding}${entry('dir/')}${entry(plus ?? '')}</ListBucketResult>`),
    );
    await using store = await opened(stub);
    assert.deepEqual(
      (await collect(store.list(''))).map(({ key }) => key),
      ['a b+ü'],
    );
  }
});

test('requests name us, the operator and the bucket’s host as they are told to', async () => {
  await using stub = await S3Stub.start();
  await using store = await opened(stub, {
    user_agent_extra: 'ours/1.0',
    object_tags: { a: 'x y', b: '&' },
    storage_class: 'STANDARD_IA',
    encrypted: true,
  });
  await store.put('x', bytesOf('x'), { metadata });
  const put = stub.seen.find(({ method }) => method === 'PUT') as StubRequest;
  assert.match(String(put.headers['user-agent']), /pghoard.*ours/);
  assert.equal(put.headers['x-amz-tagging'], 'a=x+y&b=%26');
  assert.equal(put.headers['x-amz-storage-class'], 'STANDARD_IA');
  assert.equal(put.headers['x-amz-server-side-encryption'], 'AES256');
  assert.match(String(put.headers.authorization), /\/us-east-1\/s3\//);
  assert.equal(put.headers.expect, undefined);
});

function allOf(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const own = Object.fromEntries(Object.getOwnPropertyNames(error).map((name) => [name, allOf(Reflect.get(error, name))]));
  return { ...own, message: error.message };
}

test('where ranges are not known, the bytes are those that were asked for all the same', async () => {
  await using stub = await S3Stub.start();
  await using store = await opened(stub);
  await store.put('x', bytesOf('0123456789'), { metadata });
  assert.equal(await read(store, 'x', { start: 3, end: 6 }), '345');
  assert.equal(await read(store, 'x', { start: 8, end: 99 }), '89');
  assert.equal(await read(store, 'x', { start: 10, end: 12 }), '');
  assert.equal((await store.get('x', { range: { start: 3, end: 6 } })).entry.size, 10);
});

test('unfinished uploads outside the prefix stay, and a list of them that does not go on ends', async () => {
  const upload = (key: string) =>
    `<Upload><Key>${key}</Key><UploadId>${key}-1</UploadId><Initiated>2026-11-01T00:00:00Z</Initiated></Upload>`;
  const uploads = `${upload('theirs/x')}${upload('site/x')}<IsTruncated>true</IsTruncated><NextKeyMarker>site/x</NextKeyMarker>`;
  await using stub = await S3Stub.start(({ method, query }) =>
    method === 'GET' && query.has('uploads') ? xml(`<ListMultipartUploadsResult>${uploads}</ListMultipartUploadsResult>`) : undefined,
  );
  await using store = await opened(stub);
  await store.removeUnfinished('site/', { before: new Date('2026-11-30') });
  const removed = stub.seen.filter(({ method }) => method === 'DELETE').map(({ path }) => path);
  assert.deepEqual([...new Set(removed)], ['/b/site/x']);
  assert.ok(stub.seen.length < 10);
});
