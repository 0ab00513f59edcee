import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { silentLog } from '../../lib/log.ts';
import type { MetricDefinition } from './metric-definition.ts';
import type { PushgatewayOptions } from './options.ts';
import { Pushgateway } from './pushgateway.ts';
import type { MetricFamily } from './registry.ts';

const definition: MetricDefinition = { name: 'pghoard.c', kind: 'counter', tags: ['site'], unit: 'times', meaning: 'a test', since: '3.0' };

function familyOf(...sites: readonly (string | undefined)[]): MetricFamily {
  return { definition, series: sites.map((site, i) => ({ tags: site === undefined ? {} : { site }, value: i })) };
}

/** Takes what is pushed, and answers as `answer` does. */
async function startGateway(answer: (response: ServerResponse) => void = (response) => response.end()) {
  const pushed: { path: string; authorization: string | undefined; body: string }[] = [];
  const take = async (request: IncomingMessage, response: ServerResponse) => {
    pushed.push({ path: `${request.method} ${request.url}`, authorization: request.headers.authorization, body: await text(request) });
    answer(response);
  };
  const server = createServer((request, response) => void take(request, response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = async () => {
    server.closeAllConnections();
    server.close();
  };
  return { pushed, at: `127.0.0.1:${(server.address() as AddressInfo).port}`, [Symbol.asyncDispose]: close };
}

function make(options: Partial<PushgatewayOptions> & { readonly endpoint: string }) {
  const said: string[] = [];
  let failures = 0;
  const say = (fields: object, message: string) => void said.push(`${message} ${JSON.stringify(fields)}`);
  const log = { ...silentLog, warn: say, info: say };
  const deps = { host: 'the-host', log, onFailure: () => void failures++ };
  const gateway = new Pushgateway({ job: 'pghoard', instance: null, tags: {}, ...options }, deps);
  return { gateway, said, failures: () => failures };
}

test('everything goes in one request per instance: the configured one, else the site, else this host', async () => {
  await using target = await startGateway();
  const { gateway, said } = make({ endpoint: `http://${target.at}/base/`, tags: { dc: 'x' } });
  await gateway.push([familyOf('a', 'b', 'a', undefined)], 5_000);
  assert.deepEqual(
    target.pushed.map(({ path, body }) => [path, body.split('\n').slice(1)]),
    [
      [
        'POST /base/metrics/job/pghoard/instance/a',
        ['# TYPE pghoard_c_total counter', 'pghoard_c_total{dc="x",site="a"} 0', 'pghoard_c_total{dc="x",site="a"} 2', ''],
      ],
      ['POST /base/metrics/job/pghoard/instance/b', ['# TYPE pghoard_c_total counter', 'pghoard_c_total{dc="x",site="b"} 1', '']],
      ['POST /base/metrics/job/pghoard/instance/the-host', ['# TYPE pghoard_c_total counter', 'pghoard_c_total{dc="x"} 3', '']],
    ],
  );
  const named = make({ endpoint: `http://user:p%40ss@${target.at}`, job: 'a/b', instance: 'here & there' });
  await named.gateway.push([familyOf('a', undefined)], 5_000);
  const last = target.pushed.at(-1);
  assert.equal(last?.path, 'POST /metrics/job@base64/YS9i/instance/here%20%26%20there');
  assert.equal(last.authorization, `Basic ${Buffer.from('user:p@ss').toString('base64')}`);
  const tagged = make({ endpoint: `http://${target.at}`, tags: { site: 'by tag' } });
  await tagged.gateway.push([familyOf(undefined)], 5_000);
  assert.equal(target.pushed.at(-1)?.path, 'POST /metrics/job/pghoard/instance/by%20tag');
  assert.deepEqual([...said, ...named.said], []);
});

test('a gateway that fails is told once, without secrets, and again when it is well', async () => {
  let status = 500;
  await using target = await startGateway((response) => response.writeHead(status).end('no room'));
  const { gateway, said, failures } = make({ endpoint: `http://user:hidden@${target.at}` });
  for (let i = 0; i < 3; i++) await gateway.push([familyOf('a')], 5_000);
  assert.deepEqual(said, [
    `metrics cannot be pushed; they are counted on, and pushed once they can be {"pushgateway":"${target.at}","because":"it answered 500: no room"}`,
  ]);
  assert.equal(failures(), 3);
  status = 202;
  for (let i = 0; i < 2; i++) await gateway.push([familyOf('a')], 5_000);
  assert.deepEqual(said.slice(1), [`metrics are pushed again {"pushgateway":"${target.at}"}`]);
});

test('nobody at the endpoint, or a page of somebody else, harms nobody', async () => {
  await using target = await startGateway((response) => response.writeHead(302, { location: 'http://127.0.0.1:9/' }).end());
  for (const at of [target.at, '127.0.0.1:9']) {
    const { gateway, said } = make({ endpoint: `http://${at}` });
    await gateway.push([familyOf('a')], 5_000);
    assert.equal(said.length, 1);
  }
});
