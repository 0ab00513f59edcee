import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { TestAuthority } from '../../../test/support/certificates.ts';
import { startHttpProxy, startSocksProxy } from '../../../test/support/forward-proxies.ts';
import { freePort } from '../../../test/support/free-port.ts';
import { CephServer } from '../../../test/support/services/ceph.ts';
import { makeTemporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { bytesOf, patternSource, read } from '../contract-tools.ts';
import { openS3Store } from './driver.ts';

/** The way to the store: TLS, proxies, names and addresses. */

const directory = await makeTemporaryDirectory();
after(() => directory[Symbol.asyncDispose]());
const authority = await TestAuthority.create(directory.path);
const stranger = await TestAuthority.create(directory.path, 'stranger');
const server = await CephServer.start({ version: '20', certificate: await authority.issue('ceph', ['IP:127.0.0.1']) });
after(() => server[Symbol.asyncDispose]());

const metadata = { hash: 'abc' };
const trusted = { is_secure: true, cert_path: authority.cert };

async function assertWorks(others: Readonly<Record<string, unknown>>): Promise<void> {
  const store = await openS3Store(server.s3Options({ segment_size: 5 * 1024 * 1024, ...others }));
  try {
    await store.create();
    await store.put('small', bytesOf('content'), { metadata });
    assert.equal(await read(store, 'small'), 'content');
    const { source } = patternSource(5 * 1024 * 1024 + 1);
    assert.equal((await store.put('large', source, { metadata })).size, source.size);
  } finally {
    await store.close();
  }
}

async function assertFails(
  others: Readonly<Record<string, unknown>>,
  expected: { code: string; hint?: RegExp; retryable?: boolean },
): Promise<void> {
  const store = await openS3Store(server.s3Options({ connect_timeout: '1', ...others }));
  try {
    await assert.rejects(store.head('x'), expected);
    await assert.rejects(store.put('x', bytesOf('x'), { metadata }), expected);
  } finally {
    await store.close();
  }
}

test('TLS with a certificate of an authority that is trusted, or unchecked where nobody asks for it', async () => {
  await assertWorks(trusted);
  await assertWorks({ ...trusted, is_verify_tls: true });
  await assertWorks({ is_secure: true });
});

test('a certificate that is not trusted, or for another host, is refused and said to be', async () => {
  const expected = { code: 'store-unreachable', retryable: true, hint: /cert_path/ };
  await assertFails({ is_secure: true, cert_path: stranger.cert }, expected);
  await assertFails({ is_secure: true, is_verify_tls: true }, expected);
  await assertFails({ ...trusted, host: 'localhost' }, expected);
});

test('a file of certificates that cannot be read is named', async () => {
  const options = server.s3Options({ is_secure: true, cert_path: '/no/such/file.pem' });
  await assert.rejects(openS3Store(options), { code: 'store-denied', message: /\/no\/such\/file\.pem/ });
});

test('an HTTP proxy with a password, and one that refuses it', async () => {
  await using proxy = await startHttpProxy({ login: { user: 'user', pass: 'p@ss:word' } });
  const proxy_info = { type: 'http', host: '127.0.0.1', port: proxy.port, user: 'user', pass: 'p@ss:word' };
  await assertWorks({ ...trusted, proxy_info });
  assert.deepEqual([...new Set(proxy.targets)], [`127.0.0.1:${server.port}`]);
  await assertFails({ ...trusted, proxy_info: { ...proxy_info, pass: 'wrong' } }, { code: 'store-denied', hint: /proxy_info/ });
});

test('a SOCKS proxy', async () => {
  await using proxy = await startSocksProxy();
  await assertWorks({ ...trusted, proxy_info: { type: 'socks5', host: '127.0.0.1', port: proxy.port } });
  assert.deepEqual([...new Set(proxy.targets)], [`127.0.0.1:${server.port}`]);
});

test('names that do not resolve and ports on which nobody listens are told apart', async () => {
  await assertFails({ host: 'no-such-host.invalid' }, { code: 'store-unreachable', hint: /name server/ });
  await assertFails({ port: await freePort() }, { code: 'store-unreachable' });
  await assertFails({ ...trusted, proxy_info: { type: 'http', host: '127.0.0.1', port: await freePort() } }, { code: 'store-unreachable' });
});

test('TLS where the store has none, and none where it has, do not hang', async () => {
  await assertFails({ is_secure: false, read_timeout: 2 }, { code: 'store-unreachable' });
});
