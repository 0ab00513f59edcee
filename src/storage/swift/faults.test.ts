import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { TestSwift } from '../../../test/support/services/swift.ts';
import type { StoreDialect } from '../../../test/support/store-faults/fault-world.ts';
import { type Answer, HttpFaultProxy, type SeenRequest } from '../../../test/support/store-faults/http-fault-proxy.ts';
import { type FaultSubject, testStoreFaults } from '../../../test/support/store-faults/test-store-faults.ts';
import { makeTemporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { type Clock, systemClock } from '../../lib/clock.ts';
import { bytesOf, patternSource } from '../contract-tools.ts';
import { openSwiftStore, type SwiftStore } from './driver.ts';
import { swiftStorageOptions } from './options.ts';

const container = 'faults';
const idleMs = 1_500;
const partBytes = 256 * 1024;
/** Long: the server goes on with the token of an earlier login, of which the time that the tests before took is over. */
const tokenSeconds = 6_000;

const isObject = (url: string) => url.includes(`/${container}/`);

const dialect: StoreDialect = {
  isUpload: ({ method, url, headers }) => method === 'PUT' && isObject(url) && headers['content-length'] !== '0',
  isDownload: ({ method, url }) => method === 'GET' && isObject(url),
  isListing: ({ method, url }) => method === 'GET' && url.includes(`/${container}?`),
  isCommit: ({ method, headers }) => method === 'PUT' && headers['x-object-manifest'] !== undefined,
  busy: (seconds) => ({ status: 498, headers: { 'retry-after': String(seconds) }, body: 'Slow down' }),
  denied: { status: 403, body: '<html><h1>Forbidden</h1><p>Access was denied to this resource.</p></html>' },
};

const isLogin = ({ url }: SeenRequest) => url.startsWith('/auth/');

/** How Swift says that it took no token for a deletion in bulk: with success. */
const bulkRefused: Answer = {
  status: 200,
  body: JSON.stringify({ 'Response Status': '400 Bad Request', 'Response Body': '', Errors: [[`${container}/one`, '401 Unauthorized']] }),
};

const directory = await makeTemporaryDirectory();
const swift = await TestSwift.start({ directory: directory.path, tokenSeconds });
const port = Number(new URL(swift.url).port);

after(async () => {
  await swift.stop();
  await directory[Symbol.asyncDispose]();
});

async function open(toPort: number, clock: Clock = systemClock): Promise<SwiftStore> {
  const login = { ...swift.admin, auth_url: `http://127.0.0.1:${toPort}/auth/v1.0`, auth_version: 1 };
  const options = { storage_type: 'swift', container_name: container, segment_size: partBytes, ...login };
  return openSwiftStore(swiftStorageOptions.parse(options), { clock, idleMsMax: idleMs, pageEntries: 5 });
}

async function start(): Promise<FaultSubject> {
  const store = await open(port);
  await store.create();
  await store.close();
  return { port, open, partBytes, idleMs, [Symbol.asyncDispose]: async () => {} };
}

/** With a clock that skips what it is told to. */
async function throughProxy(work: (store: SwiftStore, proxy: HttpFaultProxy, skip: (ms: number) => void) => Promise<void>): Promise<void> {
  let skippedMs = 0;
  const clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + skippedMs };
  await using proxy = await HttpFaultProxy.to(port);
  const store = await open(proxy.port, clock);
  try {
    await store.create();
    await work(store, proxy, (ms) => (skippedMs += ms));
  } finally {
    await store.close();
  }
}

testStoreFaults('swift', dialect, start);

test('a token that is refused is renewed once, and a job goes on', () =>
  throughProxy(async (store, proxy) => {
    await store.put('one', bytesOf('content'), { metadata: {} });
    proxy.heal();
    proxy.inject(({ url }) => isObject(url), { kind: 'answer', answer: { status: 401 } }, 1);
    await store.put('large', patternSource(3 * partBytes).source, { metadata: {} });
    assert.equal(proxy.seen.filter(isLogin).length, 1);
    proxy.inject(({ method }) => method === 'POST', { kind: 'answer', answer: bulkRefused }, 1);
    await store.deleteMany(['one', 'large']);
    assert.equal(proxy.seen.filter(isLogin).length, 2);
    await assert.rejects(store.head('one'), { code: 'object-missing' });
  }));

test('tokens that are refused again and again are no reason to go on asking', () =>
  throughProxy(async (store, proxy) => {
    proxy.heal();
    proxy.inject(({ url }) => isObject(url), { kind: 'answer', answer: { status: 401 } });
    await assert.rejects(store.head('one'), { code: 'store-denied', retryable: false });
    assert.deepEqual(proxy.seen.map(isLogin), [false, true, false]);
  }));

test('a token is renewed before it ends, by one login for all who need it', () =>
  throughProxy(async (store, proxy, skip) => {
    await store.put('one', bytesOf('content'), { metadata: {} });
    proxy.heal();
    skip(tokenSeconds * 1000 * 0.85);
    await store.head('one');
    assert.equal(proxy.seen.filter(isLogin).length, 0);
    skip(tokenSeconds * 1000 * 0.14);
    await Promise.all(Array.from({ length: 5 }, () => store.head('one')));
    assert.equal(proxy.seen.filter(isLogin).length, 1);
  }));
