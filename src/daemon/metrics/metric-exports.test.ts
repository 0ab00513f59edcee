import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { SimulatedClock } from '../../../test/support/simulated-clock.ts';
import { UdpListener } from '../../../test/support/udp-listener.ts';
import { waitFor } from '../../../test/support/wait-for.ts';
import { silentLog } from '../../lib/log.ts';
import { MetricExports } from './metric-exports.ts';
import type { MetricsGlobalOptions } from './options.ts';
import { MetricRegistry } from './registry.ts';

const common = { tags: ['site'], unit: 'times', meaning: 'a test', since: '3.0' } as const;
const nobody: MetricsGlobalOptions = { statsd: null, prometheus: null, pushgateway: null };

function make({ look = async () => {}, clock = new SimulatedClock() }: { look?: () => Promise<void>; clock?: SimulatedClock } = {}) {
  const said: string[] = [];
  const registry = new MetricRegistry({
    definitions: [
      { name: 'pghoard.c', kind: 'counter', ...common },
      { name: 'pghoard.g', kind: 'gauge', ...common },
      { name: 'pghoard.h', kind: 'histogram', ...common },
      { name: 'pghoard.metrics_push_failures', kind: 'counter', ...common },
    ],
    samples: () => [{ name: 'pghoard.g', value: 7, tags: { site: 'a' } }],
  });
  let looks = 0;
  let rests = 0;
  const log = {
    ...silentLog,
    error: (_: object, message: string) => void said.push(message),
    warn: (_: object, message: string) => void said.push(message),
  };
  const looking = async () => {
    looks++;
    await look();
  };
  const exports = new MetricExports({ registry, look: looking, rest: () => void rests++, host: 'here', clock, log });
  return { registry, exports, clock, said, counts: () => ({ looks, rests }) };
}

test('where nobody wants metrics nothing is done for them', async () => {
  const { exports, clock, counts } = make();
  await exports.configure(nobody);
  await clock.run(clock.sleep(60_000));
  assert.deepEqual(counts(), { looks: 0, rests: 0 });
  assert.equal(exports.prometheus(), undefined);
});

test('statsd hears each measurement when it is made, what is looked up every ten seconds, and nothing after the end', async () => {
  await using listener = await UdpListener.open();
  const { registry, exports, clock, counts } = make();
  await exports.configure({ ...nobody, statsd: { host: '127.0.0.1', port: listener.port, format: 'datadog', tags: {} } });
  registry.increase('pghoard.c', 3, { site: 'a' });
  registry.increase('pghoard.c', 0, { site: 'a' });
  registry.gauge('pghoard.g', 2, { site: 'b' });
  registry.observe('pghoard.h', 0.25);
  await clock.run(clock.sleep(15_000));
  await exports.close();
  registry.increase('pghoard.c', 1);
  assert.deepEqual((await listener.received(5)).toSorted(), [
    'pghoard.c:3|c|#site:a',
    'pghoard.g:2|g|#site:b',
    'pghoard.g:7|g|#site:a',
    'pghoard.g:7|g|#site:a',
    'pghoard.h:0.25|h',
  ]);
  assert.equal(counts().looks, 2);
});

test('another configuration keeps what was counted; the same one changes nothing', async () => {
  const { registry, exports, counts } = make();
  registry.increase('pghoard.c', 3, { site: 'a' });
  const line = (tags: string) => `pghoard_c_total{${tags}} 3`;
  await exports.configure({ ...nobody, prometheus: { tags: {} } });
  assert.ok(exports.prometheus()?.includes(line('site="a"')));
  await exports.configure({ ...nobody, prometheus: { tags: {} } });
  assert.equal(counts().looks, 1);
  await exports.configure({ ...nobody, prometheus: { tags: { dc: 'x' } } });
  assert.ok(exports.prometheus()?.includes(line('dc="x",site="a"')));
  await exports.configure(nobody);
  assert.equal(exports.prometheus(), undefined);
});

test('what goes wrong while metrics are told ends nothing, and is said once', async () => {
  let isWell = false;
  const look = async () => {
    if (!isWell) throw new Error('no look');
  };
  const { exports, clock, said, counts } = make({ look });
  await exports.configure({ ...nobody, prometheus: { tags: {} } });
  await clock.run(clock.sleep(25_000));
  assert.deepEqual(said, ['metrics are not told: no look']);
  isWell = true;
  await clock.run(clock.sleep(20_000));
  assert.equal(counts().looks, 5);
  await exports.close();
});

test('a gateway that takes what is pushed and never answers holds up the end for a moment only', async () => {
  const server = createServer((socket) => socket.resume().on('error', () => {})).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const { exports, said } = make();
  let connections = 0;
  server.on('connection', () => connections++);
  await exports.configure({ ...nobody, pushgateway: { endpoint: `http://127.0.0.1:${port}`, job: 'j', instance: null, tags: {} } });
  await waitFor(() => connections > 0, { withinMs: 10_000, what: 'the first push is under way' });
  const begun = performance.now();
  await exports.close();
  const took = performance.now() - begun;
  assert.ok(took > 1_500 && took < 5_000, `${took} ms`);
  assert.deepEqual(said, ['metrics cannot be pushed; they are counted on, and pushed once they can be']);
  server.close();
});
