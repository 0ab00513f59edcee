import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, test } from 'node:test';
import { messageOf } from '../../lib/errors.ts';
import { bytesOf, collect, patternSource } from '../contract-tools.ts';
import type { ObjectStore } from '../object-store.ts';
import { openAzureStore } from './driver.ts';
import { type AzureStorageOptions, azureStorageOptions } from './options.ts';

/** What Azurite does not do, said as Azure's reference says it. */
interface Said {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

const metadata = { 'start-time': '2026-11-22T23:39:52+00:00' };
const secret = Buffer.alloc(64, 'k').toString('base64');
const nothingListed = { status: 200, body: listingOf([]) };

const seen: IncomingMessage[] = [];
let say: (request: IncomingMessage) => Said = () => nothingListed;

const server = createServer((request, response) => {
  request.on('end', () => answer(request, response)).resume();
});

server.listen(0, '127.0.0.1');
await once(server, 'listening');
after(() => {
  server.closeAllConnections();
  server.close();
});

function answer(request: IncomingMessage, response: ServerResponse): void {
  seen.push(request);
  const { status, headers = {}, body = '' } = say(request);
  response.writeHead(status, { 'x-ms-request-id': 'id-of-the-request', 'content-type': 'application/xml', ...headers });
  response.end(request.method === 'HEAD' ? undefined : body);
}

async function withStore(more: Partial<AzureStorageOptions>, work: (store: ObjectStore) => Promise<void>): Promise<void> {
  const { port } = server.address() as AddressInfo;
  const place = { host: '127.0.0.1', port, is_secure: false };
  const base = { storage_type: 'azure', bucket_name: 'answers', account_name: 'account', account_key: secret };
  const limits = { partBytes: 1_000, partBytesMax: 1_000, partsMax: 50_000 };
  const store = await openAzureStore(azureStorageOptions.parse({ ...base, ...place, ...more }), { limits });
  seen.length = 0;
  try {
    await work(store);
  } finally {
    await store.close();
  }
}

function listingOf(names: readonly string[]): string {
  const properties =
    '<Properties><Last-Modified>Mon, 30 Nov 2026 12:00:00 GMT</Last-Modified><Etag>0x1</Etag><Content-Length>1</Content-Length></Properties>';
  const blobs = names.map((name) => `<Blob><Name>${name}</Name>${properties}</Blob>`).join('');
  return `<?xml version="1.0" encoding="utf-8"?><EnumerationResults ServiceEndpoint="http://127.0.0.1/" ContainerName="answers"><Blobs>${blobs}</Blobs><NextMarker /></EnumerationResults>`;
}

function refusal(status: number, code: string, headers: Readonly<Record<string, string>> = {}): Said {
  const body = `<?xml version="1.0" encoding="utf-8"?><Error><Code>${code}</Code><Message>Because.\nRequestId:1\nTime:2</Message></Error>`;
  return { status, headers: { 'x-ms-error-code': code, ...headers }, body };
}

const refusals: readonly (readonly [status: number, azureCode: string, code: string, retryable: boolean])[] = [
  [403, 'AuthenticationFailed', 'store-denied', false],
  [403, 'AuthorizationPermissionMismatch', 'store-denied', false],
  [403, 'AccountIsDisabled', 'store-denied', false],
  [401, 'NoAuthenticationInformation', 'store-denied', false],
  [404, 'ContainerNotFound', 'store-missing', false],
  [409, 'ContainerBeingDeleted', 'store-missing', false],
  [404, 'ResourceNotFound', 'store-failed', false],
  [409, 'BlobArchived', 'store-failed', false],
  [409, 'BlobImmutableDueToPolicy', 'object-locked', false],
  [409, 'AccountQuotaExceeded', 'store-full', true],
  [507, 'InsufficientStorage', 'store-full', true],
  [503, 'ServerBusy', 'store-throttled', true],
  [429, 'TooManyRequests', 'store-throttled', true],
  [500, 'OperationTimedOut', 'store-unreachable', true],
  [500, 'InternalError', 'store-unreachable', true],
  [400, 'Md5Mismatch', 'store-failed', true],
  [412, 'LeaseIdMissing', 'store-failed', true],
  [400, 'InvalidHeaderValue', 'store-failed', false],
];

test('what Azure refuses has the code that says what to do', () =>
  withStore({}, async (store) => {
    for (const [status, azureCode, code, retryable] of refusals) {
      say = (request) => (request.method === 'PUT' ? refusal(status, azureCode) : nothingListed);
      const put = store.put('one', bytesOf('x'), { metadata });
      await assert.rejects(put, { code, retryable }, `${status} ${azureCode}`);
      const failure: unknown = await put.catch((error: unknown) => error);
      assert.ok(failure instanceof Error);
      if (!['store-missing', 'object-locked'].includes(code)) assert.match(failure.message, /cannot|does not|did not/);
      if (azureCode !== 'Md5Mismatch')
        assert.equal(messageOf(failure.cause), `${status} ${azureCode} Because. (request id-of-the-request)`);
    }
  }));

test('how long to wait may be a time', () =>
  withStore({}, async (store) => {
    say = () => refusal(503, 'ServerBusy', { 'retry-after': 'Tue, 01 Dec 2099 00:00:00 GMT' });
    await assert.rejects(store.head('one'), (error: Error & { retryAfterMs?: number }) => (error.retryAfterMs ?? 0) > 60_000);
  }));

test('an object in the archive says so, and how it comes back', () =>
  withStore({}, async (store) => {
    say = () => refusal(409, 'BlobArchived');
    await assert.rejects(store.get('one'), { message: /archive tier/, hint: /set-tier/ });
  }));

test('a lock that keeps an object says until when', () =>
  withStore({}, async (store) => {
    const until = 'Fri, 01 Jan 2027 00:00:00 GMT';
    const properties = { 'content-length': '1', 'last-modified': until, etag: '0x1', 'x-ms-immutability-policy-until-date': until };
    say = ({ method, url = '' }) => {
      if (method === 'DELETE') return url.includes('locked') ? refusal(409, 'BlobImmutableDueToPolicy') : { status: 202 };
      return method === 'HEAD' ? { status: 200, headers: properties } : nothingListed;
    };
    await assert.rejects(store.delete('locked'), { code: 'object-locked', until: new Date(until) });
    assert.deepEqual(await store.deleteMany(['a', 'locked', 'b']), [{ key: 'locked', until: new Date(until) }]);
  }));

test('lock, tier, tags and scope go with an upload, whole or in blocks', () => {
  const options = { object_lock_days: 7, access_tier: 'Cold', object_tags: { team: 'db' }, encryption_scope: 'scope' } as const;
  return withStore({ ...options, object_lock_mode: 'compliance' }, async (store) => {
    say = (request) => (request.method === 'GET' ? nothingListed : refusal(500, 'InternalError'));
    const { source } = patternSource(2_500);
    await assert.rejects(store.put('whole', bytesOf('x'), { metadata }), { code: 'store-unreachable' });
    say = ({ method, url = '' }) => {
      if (method === 'PUT' && url.includes('comp=block&')) return { status: 201 };
      return method === 'GET' ? nothingListed : refusal(400, 'InvalidInput');
    };
    await assert.rejects(store.put('blocks', source, { metadata, createOnly: true }), { code: 'store-failed' });
    const uploads = seen.filter(({ url = '', method }) => method === 'PUT' && !url.includes('comp=block&') && !url.includes('comp=lease'));
    assert.equal(uploads.length, 2);
    for (const { headers } of uploads) {
      assert.equal(headers['x-ms-immutability-policy-mode'], 'Locked');
      const days =
        (Date.parse(String(headers['x-ms-immutability-policy-until-date'])) - Date.parse(String(headers['x-ms-date']))) / 86_400_000;
      assert.ok(Math.abs(days - 7) < 0.01, `${days} days`);
      assert.equal(headers['x-ms-access-tier'], 'Cold');
      assert.equal(headers['x-ms-tags'], 'team=db');
      assert.equal(headers['x-ms-encryption-scope'], 'scope');
      assert.equal(headers['x-ms-meta-start_time'], metadata['start-time']);
    }
    assert.equal(uploads[1]?.headers['if-none-match'], '*');
    const before = seen.length;
    await assert.rejects(store.put('lease', bytesOf('x'), { metadata, isShortLived: true }), { code: 'store-failed' });
    const [lease] = seen.splice(before).filter(({ method }) => method === 'PUT');
    assert.ok(lease);
    assert.equal(lease.headers['x-ms-immutability-policy-mode'], undefined);
    const blocks = seen.filter(({ url = '' }) => url.includes('comp=block&'));
    assert.equal(blocks.length, 3);
    assert.ok(blocks.every(({ headers }) => headers['content-md5'] !== undefined && headers['x-ms-encryption-scope'] === 'scope'));
  });
});

test('a listing in another order than that of bytes is refused, also where the names are of one directory', () =>
  withStore({}, async (store) => {
    say = ({ url = '' }) => (url.includes('prefix=%2F') ? nothingListed : { status: 200, body: listingOf(['a/b', 'a-b']) });
    await assert.rejects(collect(store.list('')), { code: 'store-failed', hint: /hierarchical namespace/ });
  }));

test('names in the order of UTF-16 units are put into that of bytes', () =>
  withStore({}, async (store) => {
    const names = ['a', 'z/🐘', 'z/🐘/1', 'z/Ａ', 'zz', '🐘', 'Ａ'];
    say = ({ url = '' }) => (url.includes('prefix=%2F') ? nothingListed : { status: 200, body: listingOf(names) });
    const keys = (await collect(store.list(''))).map(({ key }) => key);
    assert.deepEqual(keys, ['a', 'z/Ａ', 'z/🐘', 'z/🐘/1', 'zz', 'Ａ', '🐘']);
  }));

test('a listing that begins after a key asks for no more, as far as the two orders agree', () =>
  withStore({}, async (store) => {
    say = () => nothingListed;
    for (const start of ['site/xlog/0001', 'site/ü🐘b', 'x']) await collect(store.list('site/', { after: start }));
    const starts = seen.flatMap(({ url = '' }) => new URL(url, 'http://store').searchParams.get('startFrom') ?? []);
    assert.deepEqual(starts, ['site/xlog/0001', 'site/ü', 'x']);
  }));

test('whether there are blobs of 1.4.0 is asked once', () =>
  withStore({}, async (store) => {
    say = ({ method }) => (method === 'HEAD' ? refusal(404, 'BlobNotFound') : nothingListed);
    for (let i = 0; i < 3; i++) await assert.rejects(store.head('not/there'), { code: 'object-missing' });
    await collect(store.list('not/'));
    assert.deepEqual(
      seen.map(({ method }) => method),
      ['HEAD', 'GET', 'HEAD', 'HEAD', 'GET'],
    );
  }));

test('no message has the signature', () =>
  withStore({ account_key: null, sas_token: '?sv=2026&sig=verysecretsignature' }, async (store) => {
    say = () => refusal(400, 'InvalidInput');
    const failure: unknown = await store.head('one').catch((error: unknown) => error);
    assert.ok(failure instanceof Error && failure.cause instanceof Error);
    assert.ok(!`${failure.stack}${failure.cause.stack}${JSON.stringify(failure.cause)}`.includes('verysecret'));
    assert.match(seen[0]?.url ?? '', /verysecretsignature/);
  }));
