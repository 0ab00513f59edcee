import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimulatedClock } from '../../../test/support/simulated-clock.ts';
import { OperatorError } from '../../lib/errors.ts';
import { silentLog } from '../../lib/log.ts';
import { noMetrics } from '../../lib/metrics.ts';
import { type PostgresNode, parseNode } from '../../postgres/node.ts';
import type { ServerProbe } from './server-probe.ts';
import type { ServerAnswer } from './server-sample.ts';
import { ServerWatch } from './server-watch.ts';

const primary: ServerAnswer = {
  role: 'primary',
  pgVersion: 150_018,
  systemIdentifier: 7n,
  segmentBytes: 1 << 24,
  timeline: 1,
  lsn: 0x3000000n,
};
type Behaviour = () => ServerAnswer | Promise<ServerAnswer>;
const hang: Behaviour = () => new Promise(() => {});
const refuse = (code: string, retryable: boolean) => (): never => {
  throw new OperatorError(code, 'no', { retryable });
};

/** Servers that behave as they are told, and what became of asking them. */
class World {
  readonly clock = new SimulatedClock();
  readonly behaviours = new Map<string, Behaviour>();
  readonly asked = new Map<string, number>();
  readonly alerts = new Map<string, string>();
  changes = 0;
  readonly #nodes: readonly PostgresNode[];
  readonly watch: ServerWatch;

  constructor(behaviours: Readonly<Record<string, Behaviour>>) {
    const probe: ServerProbe = {
      ask: async ({ conninfo: { host = '' } }) => {
        this.asked.set(host, (this.asked.get(host) ?? 0) + 1);
        return (this.behaviours.get(host) ?? hang)();
      },
      close: async () => {},
    };
    for (const [host, behaviour] of Object.entries(behaviours)) this.behaviours.set(host, behaviour);
    this.#nodes = Object.keys(behaviours).map((host) => parseNode(`host=${host} password=hunter2`));
    this.watch = new ServerWatch({
      site: 'main',
      nodes: this.#nodes,
      probe,
      expected: () => ({ systemIdentifier: 7n }),
      alerts: {
        raise: async (name, _site, because) => void this.alerts.set(name, because),
        clear: async (name) => void this.alerts.delete(name),
        isRaised: (name) => this.alerts.has(name),
      },
      onChange: () => this.changes++,
      clock: this.clock,
      random: { next: () => 0.5, hex: () => '' },
      metrics: noMetrics,
      log: silentLog,
    });
  }

  async live(seconds: number): Promise<void> {
    await this.clock.run(this.clock.sleep(seconds * 1000));
  }

  async end(): Promise<void> {
    await this.clock.run(this.watch.stop());
  }
}

test('a server that hangs holds up neither the others nor the end', async () => {
  const world = new World({ dead: hang, alive: () => primary });
  world.watch.start();
  await world.live(60);
  const [dead, alive] = world.watch.nodes;
  assert.equal(dead?.sample, undefined);
  assert.match(dead?.obstacle ?? '', /the server dead:5432 did not answer within 15 seconds/);
  assert.equal(alive?.obstacle, undefined);
  assert.ok((world.asked.get('alive') ?? 0) >= 19, `asked ${world.asked.get('alive')} times in a minute`);
  assert.ok(Number(world.clock.now()) - Number(alive?.sample?.sampledAt) <= 3_000);
  await world.end();
});

test('an alert of an earlier life stays while nobody can tell yet whether servers that do not answer are away', async () => {
  const world = new World({ a: refuse('postgres-unreachable', true), b: refuse('postgres-unreachable', true) });
  world.alerts.set('configuration_error', 'of before');
  world.watch.start();
  await world.live(10);
  assert.equal(world.alerts.get('configuration_error'), 'of before');
  await world.live(60);
  assert.match(world.alerts.get('configuration_error') ?? '', /cannot be asked/);
  world.behaviours.set('b', () => primary);
  await world.live(60);
  assert.equal(world.alerts.size, 0);
  await world.end();
});

test('labels, obstacles and alerts hold no password', async () => {
  const world = new World({ a: refuse('postgres-authentication', false), b: () => primary });
  world.watch.start();
  await world.live(5);
  const told = JSON.stringify([world.watch.nodes, [...world.alerts]], (_, value: unknown) =>
    typeof value === 'bigint' ? String(value) : value,
  );
  assert.match(told, /a:5432/);
  assert.doesNotMatch(told, /hunter2/);
  await world.end();
});

test('alerts come and go with their causes', async () => {
  const world = new World({ a: refuse('postgres-authentication', false) });
  const alerts = () => [...world.alerts.keys()];
  world.alerts.set('configuration_error', 'of an earlier process');
  world.watch.start();
  await world.live(5);
  assert.deepEqual(alerts(), ['authentication_error']);
  world.behaviours.set('a', refuse('postgres-unreachable', true));
  await world.live(60);
  assert.deepEqual(alerts(), ['configuration_error']);
  world.behaviours.set('a', () => ({ ...primary, pgVersion: 120_000 }));
  await world.live(60);
  assert.deepEqual(alerts(), ['version_unsupported_error']);
  world.behaviours.set('a', () => ({ ...primary, systemIdentifier: 8n }));
  await world.live(10);
  assert.deepEqual(alerts(), ['wrong_server']);
  assert.deepEqual(world.watch.usable, []);
  world.behaviours.set('a', () => primary);
  await world.live(10);
  assert.deepEqual(alerts(), []);
  await world.end();
});

test('a server that was upgraded, or promoted, is noticed, and only changes are told', async () => {
  const world = new World({ a: () => ({ ...primary, role: 'standby' }) });
  world.watch.start();
  await world.live(60);
  assert.equal(world.changes, 1);
  assert.equal(world.watch.pgVersion, 150_018);
  world.behaviours.set('a', () => ({ ...primary, pgVersion: 180_001, timeline: 2 }));
  await world.live(10);
  assert.equal(world.watch.pgVersion, 180_001);
  assert.equal(world.changes, 2);
  await world.end();
});
