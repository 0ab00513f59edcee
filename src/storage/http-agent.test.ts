import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer as createPlainServer, request as plainRequest, type RequestListener, type Server } from 'node:http';
import { createServer as createSecureServer, request as secureRequest } from 'node:https';
import { type AddressInfo, createServer as createRawServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { after, test } from 'node:test';
import { TestAuthority } from '../../test/support/certificates.ts';
import { type ForwardProxy, startHttpProxy, startSocksProxy } from '../../test/support/forward-proxies.ts';
import { startRawServer } from '../../test/support/raw-server.ts';
import { makeTemporaryDirectory } from '../../test/support/temporary-directory.ts';
import { type HttpAgentOptions, openHttpAgent } from './http-agent.ts';

const directory = await makeTemporaryDirectory();
after(() => directory[Symbol.asyncDispose]());
const authority = await TestAuthority.create(directory.path);
const { cert, key } = await authority.issue('store', ['DNS:localhost']);
const ca = await readFile(authority.cert, 'utf8');
const login = { user: 'me', pass: 'p@ss:word' };

const hello: RequestListener = (_, response) => response.end('hello');
const secure = await listening(createSecureServer({ cert: await readFile(cert), key: await readFile(key) }, hello));
const plain = await listening(createPlainServer(hello));

const idleMs = 400;
const direct: HttpAgentOptions = { secure: true, ca, proxy: null, idleMs };

async function listening(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  after(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** What the server says. */
async function get(options: HttpAgentOptions, port: number, times = 1): Promise<string> {
  const agent = await openHttpAgent(options);
  try {
    let said = '';
    for (let i = 0; i < times; i++) {
      const request = (options.secure ? secureRequest : plainRequest)({ host: 'localhost', port, agent });
      const answered = once(request, 'response');
      request.end();
      said = await text((await answered)[0]);
    }
    return said;
  } finally {
    agent.destroy();
  }
}

test('a server whose certificate the named authority has signed is believed, and no other', async () => {
  assert.equal(await get(direct, secure), 'hello');
  await assert.rejects(get({ ...direct, ca: undefined }, secure), { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' });
});

test('proxies of both kinds lead to the store, encrypted or not, with and without a login', async () => {
  const starts = { http: startHttpProxy, socks5: startSocksProxy };
  for (const type of ['http', 'socks5'] as const) {
    for (const credentials of [undefined, login]) {
      await using proxy: ForwardProxy = await starts[type]({ login: credentials });
      const { user, pass } = credentials ?? { user: null, pass: null };
      const through = { type, host: '127.0.0.1', port: proxy.port, user, pass };
      assert.equal(await get({ ...direct, proxy: through }, secure, 2), 'hello');
      assert.equal(await get({ ...direct, secure: false, proxy: through }, plain), 'hello');
      assert.deepEqual(proxy.targets, [`localhost:${secure}`, `localhost:${plain}`]);
      await assert.rejects(get({ ...direct, ca: undefined, proxy: through }, secure), { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' });
    }
  }
});

test('a proxy that the environment names leads to the store, and a silent server behind it is given up', async (t) => {
  await using proxy = await startHttpProxy({ login });
  await using silent = await startRawServer(() => {});
  process.env['HTTPS_PROXY'] = `http://${login.user}:${encodeURIComponent(login.pass)}@127.0.0.1:${proxy.port}`;
  t.after(() => delete process.env['HTTPS_PROXY']);
  assert.equal(await get({ ...direct, proxy: 'of-environment' }, secure, 2), 'hello');
  assert.deepEqual(proxy.targets, [`localhost:${secure}`]);
  await assert.rejects(get({ ...direct, proxy: 'of-environment' }, silent.port), { code: 'ETIMEDOUT' });
});

test('a proxy that is not there or refuses is no success', async () => {
  for (const type of ['http', 'socks5'] as const) {
    await using proxy: ForwardProxy = await { http: startHttpProxy, socks5: startSocksProxy }[type]({ login });
    const wrong = { type, host: '127.0.0.1', port: proxy.port, user: 'me', pass: 'wrong' };
    const outcome = await get({ ...direct, proxy: wrong }, secure).catch(() => 'refused');
    assert.notEqual(outcome, 'hello');
    assert.deepEqual(proxy.targets, []);
    await assert.rejects(get({ ...direct, proxy: { ...wrong, port: 1 } }, secure));
  }
});

test('a server that says nothing is given up, also behind a proxy, and so is a proxy that says nothing', async () => {
  await using silent = await startRawServer(() => {});
  await assert.rejects(get({ ...direct, secure: false }, silent.port), { code: 'ETIMEDOUT' });
  await assert.rejects(get(direct, silent.port), /ETIMEDOUT|nothing moved|disconnected/);
  for (const type of ['http', 'socks5'] as const) {
    await using proxy: ForwardProxy = await { http: startHttpProxy, socks5: startSocksProxy }[type]();
    const through = { type, host: '127.0.0.1', port: proxy.port, user: null, pass: null };
    await assert.rejects(get({ ...direct, secure: false, proxy: through }, silent.port), { code: 'ETIMEDOUT' });
    await assert.rejects(get({ ...direct, proxy: { ...through, port: silent.port } }, secure), /time|nothing/i);
  }
});

test('no connection to a proxy that says nothing is left open', async () => {
  const closed: Promise<unknown>[] = [];
  const silent = createRawServer((socket) => void closed.push(once(socket.resume(), 'close'))).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  after(() => silent.close());
  const { port } = silent.address() as AddressInfo;
  const through = { type: 'http', host: '127.0.0.1', port, user: null, pass: null } as const;
  await assert.rejects(get({ ...direct, proxy: through }, secure), { code: 'ETIMEDOUT' });
  assert.equal(closed.length, 1);
  await Promise.all(closed);
});
