import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request as httpRequest, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, beforeEach, test } from 'node:test';
import { type HttpFault, HttpFaultProxy } from './store-faults/http-fault-proxy.ts';

let server: Server;
let proxy: HttpFaultProxy;
/** Bodies that reached the server's end. */
const received: string[] = [];
const body = 'abcdefghij'.repeat(10);

before(async () => {
  server = createServer((request, response) => {
    let text = '';
    request.on('data', (piece: Buffer) => (text += piece.toString()));
    request.on('end', () => {
      received.push(text);
      response.writeHead(200, { etag: '"real"', host: String(request.headers.host) });
      response.end(body);
    });
    request.on('error', () => {});
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  proxy = await HttpFaultProxy.to((server.address() as AddressInfo).port);
});
after(async () => {
  await proxy[Symbol.asyncDispose]();
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  proxy.heal();
  received.length = 0;
});

interface Outcome {
  readonly status?: number | undefined;
  readonly etag?: string | undefined;
  readonly text: string;
  readonly error?: string | undefined;
}

/** A request and all that came of it, within two seconds. */
function ask(method: string, upload = ''): Promise<Outcome> {
  return new Promise((resolve) => {
    let text = '';
    const request = httpRequest(`${proxy.url}/x?y=1`, { method, agent: false, timeout: 500 }, (response) => {
      const { statusCode: status, headers } = response;
      response.on('data', (piece: Buffer) => (text += piece.toString()));
      response.on('error', (error) => resolve({ status, text, error: error.message }));
      response.on('end', () => resolve({ status, etag: headers.etag, text }));
    });
    request.on('timeout', () => request.destroy(new Error('nothing came')));
    request.on('error', (error) => resolve({ text, error: error.message }));
    request.end(upload);
  });
}

const always = () => true;

test('without a rule everything passes, and is seen', async () => {
  const outcome = await ask('PUT', 'hello');
  assert.deepEqual(outcome, { status: 200, etag: '"real"', text: body });
  assert.deepEqual(received, ['hello']);
  const [seen] = proxy.seen;
  assert.deepEqual([seen?.method, seen?.url], ['PUT', '/x?y=1']);
});

test('an answer of its own keeps the request from the server, as often as it was told', async () => {
  proxy.inject(always, { kind: 'answer', answer: { status: 503, headers: { etag: '"mine"' }, body: 'busy' } }, 1);
  assert.deepEqual(await ask('PUT', 'hello'), { status: 503, etag: '"mine"', text: 'busy' });
  assert.deepEqual(received, []);
  assert.equal((await ask('GET')).status, 200);
});

test('an upload that is reset never reaches its end, wherever it is cut', async () => {
  for (const afterBytes of [1, 3, 4]) {
    proxy.inject(always, { kind: 'reset-upload', afterBytes }, 1);
    const { error, status } = await ask('PUT', 'hello');
    assert.ok(error !== undefined && status === undefined);
  }
  assert.deepEqual(received, []);
});

test('a download is reset after so many bytes', async () => {
  for (const afterBytes of [0, 1, 60]) {
    proxy.inject(always, { kind: 'reset-download', afterBytes }, 1);
    const { error, text } = await ask('GET');
    assert.ok(error !== undefined);
    assert.ok(text.length <= afterBytes);
  }
});

test('an answer is lost after the server did as it was told', async () => {
  proxy.inject(always, { kind: 'lose-answer' });
  const { error, status } = await ask('PUT', 'hello');
  assert.ok(error !== undefined && status === undefined);
  assert.deepEqual(received, ['hello']);
});

test('what stalls says nothing, and closes nothing', async () => {
  const stalls: readonly HttpFault[] = [{ kind: 'stall' }, { kind: 'stall-download', afterBytes: 10 }];
  for (const fault of stalls) {
    proxy.inject(always, fault, 1);
    const { error } = await ask('GET');
    assert.match(String(error), /nothing came|aborted/);
  }
});

test('a body drips, whole', async () => {
  proxy.inject(always, { kind: 'drip', bytes: 25, everyMs: 5 });
  assert.equal((await ask('GET')).text, body);
});

test('headers are altered', async () => {
  proxy.inject(always, { kind: 'alter', headers: (headers) => ({ ...headers, etag: '"false"' }) });
  assert.deepEqual(await ask('GET'), { status: 200, etag: '"false"', text: body });
});
