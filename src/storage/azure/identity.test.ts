import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { EnvironmentCredential, ManagedIdentityCredential, WorkloadIdentityCredential } from '@azure/identity';
import { TestAuthority } from '../../../test/support/certificates.ts';
import { Azurite } from '../../../test/support/services/azurite.ts';
import { makeTemporaryDirectory, type TemporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { systemClock } from '../../lib/clock.ts';
import { bytesOf, collect, read } from '../contract-tools.ts';
import { openAzureStore } from './driver.ts';
import { surroundingIdentity } from './identity.ts';

const metadata = { 'start-time': '2026-11-22T23:39:52+00:00' };
const variables = ['CLIENT_ID', 'CLIENT_SECRET', 'TENANT_ID', 'FEDERATED_TOKEN_FILE', 'AUTHORITY_HOST'].map((name) => `AZURE_${name}`);

/** What Azure's App Service and Functions run beside a workload: it hands out tokens of the managed identity. Their validity is up to the test. */
class TokenEndpoint implements AsyncDisposable {
  readonly asked: { readonly url: URL; readonly headers: IncomingHttpHeaders }[] = [];
  status = 200;
  /** How long it says that its tokens are good. */
  seconds = 3600;
  hangs = false;
  readonly #server = createServer((request, response) => {
    this.asked.push({ url: new URL(request.url ?? '', 'http://endpoint'), headers: request.headers });
    if (this.hangs) return;
    response.writeHead(this.status, { 'content-type': 'application/json' });
    const now = Math.floor(systemClock.now().getTime() / 1000);
    const token = { access_token: tokenOf(now, this.asked.length), expires_on: String(now + this.seconds), token_type: 'Bearer' };
    response.end(JSON.stringify(this.status === 200 ? { ...token, resource: 'https://storage.azure.com' } : { error: 'out_of_order' }));
  });

  static async start(): Promise<TokenEndpoint> {
    const endpoint = new TokenEndpoint();
    endpoint.#server.listen(0, '127.0.0.1');
    await once(endpoint.#server, 'listening');
    const { port } = endpoint.#server.address() as AddressInfo;
    process.env['IDENTITY_ENDPOINT'] = `http://127.0.0.1:${port}/msi/token`;
    process.env['IDENTITY_HEADER'] = 'known-to-the-workload-only';
    return endpoint;
  }

  reset(): void {
    for (const name of variables) delete process.env[name];
    this.asked.length = 0;
    this.status = 200;
    this.seconds = 3600;
    this.hangs = false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

/** As Azure's directory would sign it, but for the signature, at which the emulator does not look. */
function tokenOf(now: number, serial: number): string {
  const part = (content: object) => Buffer.from(JSON.stringify(content)).toString('base64url');
  const claims = { aud: 'https://storage.azure.com', iss: 'https://sts.windows.net/ab1f708d-50f6-404c-a006-d71b2ac7a606/', serial };
  return [part({ typ: 'JWT', alg: 'RS256' }), part({ ...claims, iat: now, nbf: now - 60, exp: now + 3600 }), 'c2lnbmF0dXJl'].join('.');
}

describe('azure over TLS', () => {
  let directory: TemporaryDirectory;
  let authority: TestAuthority;
  let azurite: Azurite;
  // One for all: the SDK looks for it once in a process.
  let endpoint: TokenEndpoint;

  before(async () => {
    endpoint = await TokenEndpoint.start();
    directory = await makeTemporaryDirectory();
    authority = await TestAuthority.create(directory.path);
    azurite = await Azurite.start({ certificate: await authority.issue('azurite', ['IP:127.0.0.1']) });
    const store = await openAzureStore(azurite.options('identity', { cert_path: authority.cert }));
    await store.create();
    await store.close();
  });
  after(async () => {
    await endpoint?.[Symbol.asyncDispose]();
    await azurite?.[Symbol.asyncDispose]();
    await directory?.[Symbol.asyncDispose]();
  });

  const open = (more: Parameters<Azurite['options']>[1] = {}) =>
    openAzureStore(azurite.options('identity', { account_key: null, cert_path: authority.cert, ...more }));

  test('without any key the managed identity is used, under its own name where one is given', async () => {
    endpoint.reset();
    for (const clientId of [undefined, '11059fcc-5514-4800-b5f8-49808b9cfab6']) {
      if (clientId !== undefined) process.env['AZURE_CLIENT_ID'] = clientId;
      const store = await open();
      await store.put('by-identity', bytesOf('content'), { metadata });
      assert.equal(await read(store, 'by-identity'), 'content');
      await store.close();
      const last = endpoint.asked.at(-1);
      assert.equal(last?.headers['x-identity-header'], 'known-to-the-workload-only');
      assert.equal(last?.url.searchParams.get('resource'), 'https://storage.azure.com');
      assert.equal(last?.url.searchParams.get('client_id'), clientId ?? null);
    }
  });

  test('a token is asked for anew before it runs out, and not for each request', async () => {
    endpoint.reset();
    process.env['AZURE_CLIENT_ID'] = 'renewed';
    endpoint.seconds = 90;
    const store = await open();
    for (let i = 0; i < 3; i++) await store.put('renewed', bytesOf(String(i)), { metadata });
    await store.close();
    assert.ok(endpoint.asked.length > 1, `${endpoint.asked.length} tokens although each ends in 90 s`);
    process.env['AZURE_CLIENT_ID'] = 'lasting';
    endpoint.seconds = 3600;
    const other = await open();
    for (let i = 0; i < 3; i++) await other.put('lasting', bytesOf(String(i)), { metadata });
    await other.close();
    // The other store may still be renewing its own.
    assert.equal(endpoint.asked.filter(({ url }) => url.searchParams.get('client_id') === 'lasting').length, 1);
  });

  test('where nobody hands out a token that is said, and may pass', async () => {
    endpoint.reset();
    process.env['AZURE_CLIENT_ID'] = 'refused';
    endpoint.status = 400;
    const store = await open();
    await assert.rejects(store.head('a'), { code: 'store-denied', retryable: true, hint: /Storage Blob Data Contributor/ });
    await store.close();
  });

  test('who hands out tokens and never answers holds up nobody without end, and nobody who stops', async () => {
    endpoint.reset();
    process.env['AZURE_CLIENT_ID'] = 'hanging';
    endpoint.hangs = true;
    const store = await openAzureStore(azurite.options('identity', { account_key: null, cert_path: authority.cert }), { idleMs: 500 });
    const stop = new AbortController();
    const works = [
      store.head('a', { signal: stop.signal }),
      store.put('a', bytesOf('x'), { metadata, signal: stop.signal }),
      collect(store.list('', { signal: stop.signal })),
    ];
    stop.abort(new Error('stopped by the test'));
    for (const work of works) await assert.rejects(work, /stopped by the test/);
    await assert.rejects(store.head('a'), { code: 'store-unreachable', retryable: true });
    await store.close();
  });

  test('the surroundings name one identity, which is taken', async () => {
    endpoint.reset();
    assert.ok((await surroundingIdentity(null)) instanceof ManagedIdentityCredential);
    Object.assign(process.env, { AZURE_CLIENT_ID: 'id', AZURE_TENANT_ID: 'tenant', AZURE_CLIENT_SECRET: 'secret' });
    assert.ok((await surroundingIdentity('usgovernment')) instanceof EnvironmentCredential);
    const file = join(directory.path, 'token');
    await writeFile(file, 'token');
    process.env['AZURE_FEDERATED_TOKEN_FILE'] = file;
    assert.ok((await surroundingIdentity('china')) instanceof WorkloadIdentityCredential);
    assert.equal(endpoint.asked.length, 0);
  });

  test('a certificate that nobody vouches for is not believed', async () => {
    const key = { account_key: azurite.accountKey };
    const believing = await open(key);
    await assert.rejects(believing.head('a'), { code: 'object-missing' });
    const store = await open({ ...key, cert_path: null });
    await assert.rejects(store.head('a'), { code: 'store-unreachable', retryable: true, hint: /cert_path/ });
    await Promise.all([believing.close(), store.close()]);
  });
});
