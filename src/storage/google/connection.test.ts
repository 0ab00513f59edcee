import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { TestAuthority } from '../../../test/support/certificates.ts';
import { startHttpProxy, startSocksProxy } from '../../../test/support/forward-proxies.ts';
import { TestGcs } from '../../../test/support/services/gcs.ts';
import { makeTemporaryDirectory, type TemporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { bytesOf, patternSource, read } from '../contract-tools.ts';
import { GoogleStore } from './driver.ts';
import { testOptions } from './test-options.ts';

let directory: TemporaryDirectory;
let secure: TestGcs;
let certPath: string;
before(async () => {
  directory = await makeTemporaryDirectory();
  const authority = await TestAuthority.create(directory.path);
  const { cert, key } = await authority.issue('localhost', ['IP:127.0.0.1', 'DNS:storage.test']);
  secure = await TestGcs.start({ cert: await readFile(cert), key: await readFile(key) });
  secure.bucket('backups');
  certPath = authority.cert;
});
after(async () => {
  await secure[Symbol.asyncDispose]();
  await directory[Symbol.asyncDispose]();
});

const metadata = {};

async function withStore(gcs: TestGcs, options: Record<string, unknown>, use: (store: GoogleStore) => Promise<void>): Promise<void> {
  const store = await GoogleStore.open(testOptions(gcs, options), { chunkBytes: 256 * 1024, silenceMs: 2_000 });
  try {
    await use(store);
  } finally {
    await store.close();
  }
}

async function storesAndReads(store: GoogleStore): Promise<void> {
  await store.put('one', bytesOf('content'), { metadata });
  assert.equal(await read(store, 'one'), 'content');
  await store.put('large', patternSource(600_000).source, { metadata });
  assert.equal((await store.head('large')).size, 600_000);
}

test('an authority of one’s own is trusted where cert_path names it, for tokens too', () =>
  withStore(secure, { cert_path: certPath }, storesAndReads));

test('a certificate that nobody vouches for is not trusted, and that is said', () =>
  withStore(secure, {}, async (store) => {
    await assert.rejects(store.head('one'), { code: 'store-unreachable', hint: /cert_path/ });
    await assert.rejects(store.put('one', bytesOf('x'), { metadata }), { code: 'store-unreachable', hint: /cert_path/ });
  }));

test('a certificate for another name is not trusted', async () => {
  const api_endpoint = secure.url.replace('127.0.0.1', 'localhost');
  await withStore(secure, { cert_path: certPath, api_endpoint }, async (store) => {
    await assert.rejects(store.head('one'), { code: 'store-unreachable', hint: /in its name/ });
  });
});

for (const [type, start] of [
  ['http', startHttpProxy],
  ['socks5', startSocksProxy],
] as const) {
  test(`everything goes through a proxy of type ${type}, which resolves names`, async () => {
    const login = { user: 'us er', pass: 'p:w@' };
    await using proxy = await start({ login, leadsTo: '127.0.0.1' });
    const proxy_info = { type, host: '127.0.0.1', port: proxy.port, ...login };
    const api_endpoint = `https://storage.test:${secure.port}`;
    const credentials = { ...secure.serviceAccount, token_uri: `${api_endpoint}/token` };
    await withStore(secure, { cert_path: certPath, api_endpoint, credentials, proxy_info }, storesAndReads);
    assert.deepEqual([...new Set(proxy.targets)], [`storage.test:${secure.port}`]);
  });

  test(`a proxy of type ${type} leads to servers without TLS too`, async () => {
    await using proxy = await start();
    await using plain = await TestGcs.start();
    plain.bucket('backups');
    await withStore(plain, { proxy_info: { type, host: '127.0.0.1', port: proxy.port } }, storesAndReads);
    assert.ok(proxy.targets.length > 0);
  });
}

test('a proxy that refuses is no store that denies', async () => {
  await using proxy = await startHttpProxy({ refusal: 407 });
  await withStore(secure, { cert_path: certPath, proxy_info: { type: 'http', host: '127.0.0.1', port: proxy.port } }, async (store) => {
    await assert.rejects(store.head('one'), { code: 'store-unreachable', retryable: true, hint: /proxy_info/ });
  });
});

test('hosts that cannot be found, and ports where nothing listens, are told apart', async () => {
  await withStore(secure, { cert_path: certPath, api_endpoint: 'http://no-such-host.invalid' }, async (store) => {
    await assert.rejects(store.head('one'), { code: 'store-unreachable', hint: /DNS/ });
  });
  await withStore(secure, { cert_path: certPath, api_endpoint: 'http://127.0.0.1:1' }, async (store) => {
    await assert.rejects(store.head('one'), { code: 'store-unreachable', hint: /Nothing listens/ });
  });
});

test('a file of certificates that cannot be read is named', async () => {
  const options = testOptions(secure, { cert_path: '/no/such/file.pem' });
  await assert.rejects(GoogleStore.open(options), { code: 'store-denied', message: /\/no\/such\/file\.pem/ });
});
