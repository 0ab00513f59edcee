import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LeaseStanding } from '../catalog/site-lease.ts';
import { type Clock, systemClock } from '../lib/clock.ts';
import { OperatorError } from '../lib/errors.ts';
import { silentLog } from '../lib/log.ts';
import { Ownership } from './ownership.ts';

const { signal } = new AbortController();
const holder = {
  owner: 'x',
  place: undefined,
  host: 'db2',
  pid: 5,
  version: '3.0.0',
  since: new Date(0),
  ttlMs: 1000,
  riskMs: 0,
  isReleased: false,
};

/** An ownership whose lease and admission are as the test says; each `look` is one round of it. */
class Bench {
  readonly lease = { standing: 'unsure' as LeaseStanding, because: 'x does it', holder: undefined as typeof holder | undefined };
  readonly admission = { obstacle: undefined as string | undefined, check: async () => {} };
  failure: Error | undefined;
  ticks = 0;
  releases = 0;
  readonly told: string[] = [];
  changes = 0;
  readonly ownership: Ownership;
  readonly #sleepers: (() => void)[] = [];

  constructor(hasLease = true) {
    const lease = Object.assign(this.lease, {
      tick: async () => {
        this.ticks++;
        if (this.failure) throw this.failure;
      },
      release: async () => void this.releases++,
    });
    const sleep: Clock['sleep'] = (_ms, aborted) =>
      new Promise((resolve) => {
        this.#sleepers.push(resolve);
        aborted?.addEventListener('abort', () => resolve(), { once: true });
      });
    this.ownership = new Ownership({
      site: 'main',
      lease: hasLease ? lease : undefined,
      ttlMs: 1000,
      admission: this.admission,
      cluster: { readDataDirectory: async () => {} },
      onChange: () => void this.changes++,
      clock: { ...systemClock, sleep },
      log: { ...silentLog, info: (_, message) => void this.told.push(message) },
    });
  }

  async start(): Promise<void> {
    this.ownership.start();
    await this.#settled();
  }

  async look(): Promise<void> {
    for (const wake of this.#sleepers.splice(0)) wake();
    await this.#settled();
  }

  async #settled(): Promise<void> {
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
  }
}

test('before anybody has looked nothing is done that must not be done twice', () => {
  const { ownership } = new Bench();
  assert.deepEqual([ownership.standing, ownership.isHeld], ['unknown', false]);
  assert.match(ownership.hindrance ?? '', /not known yet/);
  assert.throws(() => ownership.requireHeld(), { code: 'lease-lost' });
});

test('the only daemon of a site needs no lease', async () => {
  const bench = new Bench(false);
  await bench.start();
  assert.deepEqual([bench.ownership.isHeld, bench.ownership.hindrance, bench.changes], [true, undefined, 1]);
  await bench.ownership.confirm(signal);
  await bench.ownership.stop();
  assert.equal(bench.ownership.isHeld, false);
});

test('it is told when the lease goes to another daemon and comes back, and what runs is ended only by the former', async () => {
  const bench = new Bench();
  const { ownership, lease } = bench;
  lease.standing = 'held';
  await bench.start();
  const { lost } = ownership;
  assert.deepEqual([ownership.isHeld, bench.changes, lost.aborted], [true, 1, false]);
  ownership.requireHeld();

  lease.standing = 'unsure';
  bench.failure = new OperatorError('store-unreachable', 'no answer', { retryable: true });
  await bench.look();
  assert.deepEqual([ownership.standing, bench.changes, lost.aborted], ['unsure', 2, false]);
  assert.match(ownership.hindrance ?? '', /cannot be told .*: no answer/);
  assert.throws(() => ownership.requireHeld(), { code: 'lease-lost', retryable: true });

  Object.assign(lease, { standing: 'elsewhere', holder });
  bench.failure = undefined;
  await bench.look();
  await bench.look();
  assert.deepEqual([ownership.standing, bench.changes, lost.aborted], ['elsewhere', 3, true]);
  assert.deepEqual(ownership.view, {
    held: false,
    because: 'another daemon works on the site: x does it',
    holder: { host: 'db2', pid: 5, version: '3.0.0', since: new Date(0) },
  });
  await assert.rejects(ownership.confirm(signal), { code: 'lease-lost' });
  assert.equal(ownership.lostTo, 'another daemon works on the site: x does it');

  Object.assign(lease, { standing: 'held', holder: undefined });
  await bench.look();
  assert.deepEqual([ownership.isHeld, bench.changes, ownership.lost.aborted], [true, 4, false]);
  assert.equal(ownership.lostTo, undefined);
  await ownership.stop();
  assert.equal(bench.releases, 1);
});

test('after an outage of the store it is told that nothing has changed, and not how the site came to this daemon', async () => {
  const bench = new Bench();
  const { lease, told } = bench;
  for (const standing of ['held', 'unsure', 'held', 'elsewhere', 'held'] as const) {
    lease.standing = standing;
    await (told.length === 0 ? bench.start() : bench.look());
  }
  const taken = 'this daemon works on the site: x does it';
  const left = 'another daemon works on the site: x does it; this one waits, and goes on archiving and restoring';
  assert.deepEqual(told, [taken, 'this daemon works on the site as before: the store can be asked again', left, taken]);
});

test('a site that another daemon had from the beginning, or that was left to it, has not been lost', async () => {
  const bench = new Bench();
  Object.assign(bench.lease, { standing: 'elsewhere', holder });
  await bench.start();
  assert.equal(bench.ownership.lostTo, undefined);
  bench.lease.standing = 'held';
  await bench.look();
  bench.admission.obstacle = 'another cluster';
  await bench.look();
  bench.admission.obstacle = undefined;
  bench.lease.standing = 'elsewhere';
  await bench.look();
  assert.deepEqual([bench.ownership.standing, bench.ownership.lostTo], ['elsewhere', undefined]);
  await bench.ownership.stop();
});

test('who may store nothing does not keep others from working', async () => {
  const bench = new Bench();
  bench.lease.standing = 'held';
  await bench.start();
  bench.admission.obstacle = 'another cluster';
  const { ticks } = bench;
  await bench.look();
  assert.deepEqual([bench.ownership.standing, bench.ownership.isHeld, bench.releases, bench.ticks], ['barred', false, 1, ticks]);
  assert.equal(bench.ownership.view.because, 'another cluster');
  await bench.ownership.stop();
});

test('a store that does not even refuse is one that does not answer', async () => {
  const bench = new Bench();
  bench.admission.check = () => new Promise(() => {});
  await bench.start();
  assert.deepEqual([bench.ownership.standing, bench.changes], ['unknown', 0]);
  await bench.look();
  assert.deepEqual([bench.ownership.standing, bench.changes], ['unsure', 1]);
  assert.match(bench.ownership.hindrance ?? '', /the store does not answer/);
  const stopping = bench.ownership.stop();
  await bench.look();
  await stopping;
});

test('a confirmation waits for a store that does not answer', async () => {
  const bench = new Bench();
  await bench.start();
  bench.failure = new OperatorError('store-unreachable', 'no answer', { retryable: true });
  let isConfirmed = false;
  const confirming = bench.ownership.confirm(signal).then(() => (isConfirmed = true));
  await bench.look();
  assert.equal(isConfirmed, false);
  bench.failure = undefined;
  bench.lease.standing = 'held';
  await bench.look();
  await confirming;
  await bench.ownership.stop();
});
