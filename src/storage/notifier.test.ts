import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { UdpListener } from '../../test/support/udp-listener.ts';
import { waitFor } from '../../test/support/wait-for.ts';
import { type Log, silentLog } from '../lib/log.ts';
import { bytesOf } from './contract-tools.ts';
import { MemoryStore } from './memory/driver.ts';
import { Notifier } from './notifier.ts';
import type { ObjectStore } from './object-store.ts';
import { statsdObserver } from './statsd-observer.ts';
import { withObservers } from './with-observers.ts';

interface Post {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Answers as it is told: with a status, or not at all. */
class Receiver {
  readonly posts: Post[] = [];
  answer: number | 'nothing' = 200;
  readonly #server = createServer((request, response) => void this.#receive(request, response));

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.posts.push({ headers: request.headers, body: await text(request) });
    if (this.answer !== 'nothing') response.writeHead(this.answer).end('thanks');
  }

  async open(): Promise<this> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return this;
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get notices(): unknown[] {
    return this.posts.map(({ body }) => JSON.parse(body) as unknown);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

const policy = { attemptsMax: 2, delayMsFirst: 1, delayMsMax: 1 };

function notifying(url: string): { store: ObjectStore; told: string[] } {
  const told: string[] = [];
  const tell = (level: string) => (fields: object, message: string) => void told.push(`${level} ${message} ${JSON.stringify(fields)}`);
  const log: Log = { ...silentLog, info: tell('info'), warn: tell('warn') };
  return { store: withObservers(new MemoryStore(), [new Notifier({ url, log, policy })]), told };
}

test('uploads and deletions are posted, in their order, and nothing else', async () => {
  await using receiver = await new Receiver().open();
  const { store } = notifying(`http://someone:se%20cret@${receiver.address}/hook`);
  const entry = await store.put('site/a', bytesOf('hello'), { metadata: { 'start-time': 'x' } });
  await store.head('site/a');
  await store.delete('site/a');
  await store.deleteMany(['site/b', 'site/c']);
  await assert.rejects(store.get('site/a'));
  await store.close();
  assert.deepEqual(receiver.notices, [
    { op: 'UPLOAD', key: 'site/a', size: 5, last_modified: entry.lastModified.toISOString(), metadata: { 'start-time': 'x' } },
    { op: 'DELETE', key: 'site/a' },
    { op: 'DELETE', key: 'site/b' },
    { op: 'DELETE', key: 'site/c' },
  ]);
  const [{ headers } = { headers: {} as IncomingHttpHeaders }] = receiver.posts;
  assert.equal(headers['content-type'], 'application/json');
  assert.equal(headers.authorization, `Basic ${Buffer.from('someone:se cret').toString('base64')}`);
});

test('what is refused is tried again, then left out, told once, and never with the password', async () => {
  await using receiver = await new Receiver().open();
  receiver.answer = 503;
  const { store, told } = notifying(`http://someone:secret@${receiver.address}/hook`);
  for (const key of ['a', 'b']) await store.put(key, bytesOf('x'), { metadata: {} });
  await waitFor(() => receiver.posts.length === 4, { withinMs: 10_000, what: 'both were tried twice' });
  receiver.answer = 200;
  await waitFor(async () => (await store.put('c', bytesOf('x'), { metadata: {} })) && told.length === 2, {
    withinMs: 10_000,
    what: () => `it is told that notices are delivered again: ${told.join('\n')}`,
  });
  assert.match(told[0] ?? '', /^warn .*not delivered.*answered 503/);
  assert.match(told[1] ?? '', /^info .*delivered again.*"lost":2/);
  assert.doesNotMatch(told.join(), /secret/);
  await store.close();
});

test('a receiver that does not answer delays neither an upload nor, for long, the end', async () => {
  await using receiver = await new Receiver().open();
  receiver.answer = 'nothing';
  const { store, told } = notifying(`http://${receiver.address}/`);
  for (let i = 0; i < 1_500; i++) await store.put(String(i), bytesOf('x'), { metadata: {} });
  assert.match(told[0] ?? '', /more than 1000 notices wait/);
  await store.close();
  assert.equal(receiver.posts.length, 1);
});

test('nobody listening is told', async () => {
  const receiver = await new Receiver().open();
  const { address } = receiver;
  await receiver[Symbol.asyncDispose]();
  const { store, told } = notifying(`http://${address}/`);
  await store.put('a', bytesOf('x'), { metadata: {} });
  await waitFor(() => told.length === 1, { withinMs: 10_000, what: 'it is told' });
  await store.close();
});

for (const [format, expected] of [
  [
    'telegraf',
    [
      'rohmu_operation_count,operation=put,where=x:1|c',
      'rohmu_operation_count,operation=see,where=x:1|c',
      'rohmu_operation_size,operation=put,where=x:5|c',
    ],
  ],
  [
    'datadog',
    [
      'rohmu_operation_count:1|c|#operation:put,where:x',
      'rohmu_operation_count:1|c|#operation:see,where:x',
      'rohmu_operation_size:5|c|#operation:put,where:x',
    ],
  ],
] as const) {
  test(`requests are counted by statsd, for ${format}`, async () => {
    await using listener = await UdpListener.open();
    const info = { host: '127.0.0.1', port: listener.port, message_format: format, tags: { where: 'x' }, operation_map: { head: 'see' } };
    const observer = statsdObserver(info);
    assert.ok(observer);
    const store = withObservers(new MemoryStore(), [observer]);
    await store.put('a', bytesOf('hello'), { metadata: {} });
    await store.head('a');
    assert.deepEqual((await listener.received(3)).toSorted(), expected);
    await store.close();
  });
}

test('statsd without a host or port is none', () => {
  const info = { host: '127.0.0.1', port: 8125, message_format: 'telegraf', tags: null, operation_map: null } as const;
  assert.deepEqual([statsdObserver({ ...info, host: null }), statsdObserver({ ...info, port: null })], [undefined, undefined]);
});
