import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FaultyStore } from '../../test/support/store.ts';
import type { Clock } from '../lib/clock.ts';
import { OperatorError } from '../lib/errors.ts';
import { silentLog } from '../lib/log.ts';
import { noMetrics } from '../lib/metrics.ts';
import { urgent } from '../lib/urgency.ts';
import { MemoryStore } from '../storage/memory/driver.ts';
import { sourceOfBytes } from '../storage/object-source.ts';
import { UploadQueue, type UploadRequest } from './upload-queue.ts';

interface Sleeper {
  readonly ms: number;
  wake(): void;
}

/** Time passes only when a test says so. */
class TestClock implements Clock {
  readonly sleepers: Sleeper[] = [];
  now = () => new Date('2026-11-22T23:39:52.500Z');
  monotonicMs = () => 0;
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
      this.sleepers.push({ ms, wake: resolve });
    });
  }
  async wakeNext(): Promise<number> {
    await until(() => this.sleepers.length > 0);
    const sleeper = this.sleepers.shift();
    sleeper?.wake();
    return sleeper?.ms ?? 0;
  }
}

class TestQueue {
  readonly store = new FaultyStore(new MemoryStore());
  readonly clock = new TestClock();
  readonly told: string[] = [];
  readonly warned: string[] = [];
  readonly queue: UploadQueue;

  constructor(threads = 1, previousStats?: unknown) {
    this.queue = new UploadQueue({
      threads,
      log: { ...silentLog, warn: ({ because }: { because?: unknown }) => void this.warned.push(String(because)) },
      metrics: noMetrics,
      warningLimit: 3,
      onTrouble: (site, key, failures) => void this.told.push(`${site} ${key} ${failures}`),
      onRecovered: (site) => void this.told.push(`${site} recovered`),
      previousStats,
      clock: this.clock,
      random: { next: () => 1, hex: () => '' },
    });
  }

  upload(key: string, request: Partial<UploadRequest> = {}) {
    const { store } = this;
    return this.queue.upload({
      site: 'site',
      store,
      key,
      source: sourceOfBytes(Buffer.from('data')),
      metadata: {},
      fileType: 'xlog',
      ...request,
    });
  }
}

async function until(isTrue: () => boolean): Promise<void> {
  for (let turn = 0; !isTrue(); turn++) {
    assert.ok(turn < 10_000, 'what was waited for does not come');
    await new Promise((resolve) => setImmediate(resolve));
  }
}

test('an upload resolves to what the store has', async () => {
  const at = new TestQueue();
  const entry = await at.upload('site/xlog/1', { metadata: { a: 'b' } });
  assert.deepEqual([entry.key, entry.size, entry.metadata], ['site/xlog/1', 4, { a: 'b' }]);
  assert.equal(at.queue.pending, 0);
});

test('retryable failures are repeated for as long as it takes, with delays up to 20 s', async () => {
  const at = new TestQueue();
  at.store.inject({ operation: 'put', how: 'refuse' });
  const upload = at.upload('one');
  const delays: number[] = [];
  for (let i = 0; i < 30; i++) delays.push(await at.clock.wakeNext());
  assert.deepEqual(delays.slice(0, 8), [500, 1_000, 2_000, 4_000, 8_000, 16_000, 20_000, 20_000]);
  await until(() => at.clock.sleepers.length === 1);
  at.store.heal();
  await at.clock.wakeNext();
  assert.equal((await upload).key, 'one');
  assert.equal(at.store.count('put'), 32);
});

test('what fails is told with its cause', async () => {
  const at = new TestQueue();
  const error = new OperatorError('store-full', 'cannot store one', {
    cause: new Error('ENOSPC: no space left on device'),
    retryable: true,
  });
  at.store.inject({ operation: 'put', call: 1, how: 'refuse', error });
  const upload = at.upload('one');
  await at.clock.wakeNext();
  await upload;
  assert.deepEqual(at.warned, ['cannot store one: ENOSPC: no space left on device']);
});

test('a response that was lost is no harm: the same content is put again', async () => {
  const at = new TestQueue();
  at.store.inject({ operation: 'put', call: 1, how: 'lose-response' });
  const upload = at.upload('one');
  await at.clock.wakeNext();
  assert.equal((await upload).size, 4);
});

test('other failures are told at once', async () => {
  const at = new TestQueue();
  const denied = new OperatorError('store-denied', 'no');
  at.store.inject({ operation: 'put', how: 'refuse', error: denied });
  await assert.rejects(at.upload('one'), denied);
  at.store.heal();
  await at.upload('one');
  await assert.rejects(at.upload('one', { createOnly: true }), { code: 'object-exists' });
  assert.deepEqual(at.clock.sleepers, []);
});

for (const code of ['store-denied', 'store-missing']) {
  test(`${code} needs somebody, so that it is told at the first failure, and is over with the first success`, async () => {
    const at = new TestQueue();
    at.store.inject({ operation: 'put', how: 'refuse', error: new OperatorError(code, 'no') });
    await assert.rejects(at.upload('one'), { code });
    assert.deepEqual(at.told, ['site one 1']);
    at.store.heal();
    await at.upload('one');
    assert.deepEqual(at.told, ['site one 1', 'site recovered']);
  });
}

test('first come, first served, and no more at once than allowed', async () => {
  const at = new TestQueue(2);
  const gate = Promise.withResolvers<undefined>();
  at.store.inject({ operation: 'put', key: /slow/, how: 'wait', until: gate.promise });
  const uploads = ['slow-1', 'slow-2', 'c', 'd'].map((key) => at.upload(key));
  await until(() => at.store.calls.length === 2);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(
    at.store.calls.map(({ key }) => key),
    ['slow-1', 'slow-2'],
  );
  assert.equal(at.queue.pending, 4);
  gate.resolve(undefined);
  await Promise.all(uploads);
  assert.deepEqual(
    at.store.calls.map(({ key }) => key),
    ['slow-1', 'slow-2', 'c', 'd'],
  );
});

test('an upload that waits for its next attempt holds no place', async () => {
  const at = new TestQueue(1);
  at.store.inject({ operation: 'put', key: /poisoned/, how: 'refuse' });
  const stop = new AbortController();
  const poisoned = at.upload('poisoned', { signal: stop.signal });
  await until(() => at.clock.sleepers.length === 1);
  await at.upload('good');
  stop.abort(new Error('stopped by the test'));
  await assert.rejects(poisoned, /stopped by the test/);
});

test('an abort ends waiting for a place, for the next attempt, and a running put', async () => {
  const at = new TestQueue(1);
  at.store.inject({ operation: 'put', key: /refused/, how: 'refuse' });
  const hanging = {
    size: 4,
    async *open() {
      yield Buffer.from('da');
      await new Promise<never>(() => {});
    },
  };
  for (const request of [{ key: 'refused' }, { key: 'hangs', source: hanging }]) {
    const stop = new AbortController();
    const running = at.upload(request.key, { ...request, signal: stop.signal });
    const queued = at.upload('queued', { signal: stop.signal });
    await until(() => at.store.count('put', /refused|hangs/) > 0);
    const both = Promise.allSettled([running, queued]);
    stop.abort(new Error('stopped by the test'));
    const [first] = await both;
    assert.match(String(first.status === 'rejected' && first.reason), /stopped by the test/);
  }
  await at.upload('after');
  assert.equal(at.queue.pending, 0);
});

test('trouble is told after more failures than the limit, at each further one, and its end once', async () => {
  const at = new TestQueue();
  at.store.inject({ operation: 'put', how: 'refuse' });
  const upload = at.upload('one');
  for (let i = 0; i < 4; i++) await at.clock.wakeNext();
  await until(() => at.clock.sleepers.length === 1);
  assert.deepEqual(at.told, ['site one 4', 'site one 5']);
  at.store.heal();
  await at.clock.wakeNext();
  await upload;
  await at.upload('two');
  assert.deepEqual(at.told, ['site one 4', 'site one 5', 'site recovered']);
});

test('a site has not recovered while another of its uploads still fails', async () => {
  const at = new TestQueue(2);
  at.store.inject({ operation: 'put', key: /bad/, how: 'refuse' });
  const uploads = [at.upload('bad-1'), at.upload('bad-2')];
  for (let i = 0; i < 8; i++) await at.clock.wakeNext();
  await until(() => at.clock.sleepers.length === 2);
  await at.upload('good');
  assert.equal(
    at.told.some((line) => line.includes('recovered')),
    false,
  );
  at.store.heal();
  const ended = Promise.all(uploads);
  await at.clock.wakeNext();
  await at.clock.wakeNext();
  await ended;
  assert.equal(at.told.filter((line) => line.includes('recovered')).length, 1);
});

test('uploads that are refused again and again are trouble too; objects that exist are not', async () => {
  const at = new TestQueue();
  await at.upload('there');
  for (let i = 0; i < 6; i++) await assert.rejects(at.upload('there', { createOnly: true }));
  assert.deepEqual(at.told, []);
  at.store.inject({ operation: 'put', how: 'refuse', error: new OperatorError('store-failed', 'no') });
  for (let i = 0; i < 5; i++) await assert.rejects(at.upload(`key-${i}`));
  assert.deepEqual(at.told, ['site key-3 4', 'site key-4 5']);
  at.store.heal();
  await at.upload('again');
  assert.equal(at.told.at(-1), 'site recovered');
});

test('what is not to be repeated fails at once, and is no trouble', async () => {
  const at = new TestQueue();
  at.store.inject({ operation: 'put', how: 'refuse' });
  for (let n = 0; n < 5; n++) await assert.rejects(at.upload(`ahead ${n}`, { isRepeated: false }), { code: 'store-unreachable' });
  assert.deepEqual(at.told, []);
  assert.equal(at.store.count('put'), 5);
});

test('urgent uploads go before others', async () => {
  const at = new TestQueue(1);
  const released = Promise.withResolvers<void>();
  at.store.inject({ operation: 'put', key: /blocks/, how: 'wait', until: released.promise });
  const blocking = ['blocks 1', 'blocks 2'].map((key) => at.upload(key, { urgency: urgent }));
  const others = [at.upload('one'), at.upload('two'), at.upload('three', { urgency: urgent })];
  released.resolve();
  await Promise.all([...blocking, ...others]);
  assert.deepEqual(
    at.store.calls.map(({ key }) => key),
    ['blocks 1', 'blocks 2', 'three', 'one', 'two'],
  );
});

test('drain waits for all, also for what fails and what comes in meanwhile', async () => {
  const at = new TestQueue(1);
  const gate = Promise.withResolvers<undefined>();
  at.store.inject({ operation: 'put', key: /slow/, how: 'wait', until: gate.promise });
  at.store.inject({ operation: 'put', key: /bad/, how: 'refuse', error: new OperatorError('store-failed', 'no') });
  const chain = at.upload('slow').then(() => at.upload('later'));
  const bad = assert.rejects(at.upload('bad'));
  const drained = { is: false };
  const drain = at.queue.drain().then(() => (drained.is = true));
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(drained.is, false);
  gate.resolve(undefined);
  await drain;
  await Promise.all([chain, bad]);
  assert.equal(at.store.count('put', /later/), 1);
});

test('statistics have the shape of the state file', async () => {
  const at = new TestQueue(1, {
    site: { upload: { xlog: { data: 100, count: 2, time_taken: 1, failures: 1, xlogs_since_basebackup: 2 } } },
  });
  at.store.inject({ operation: 'put', key: /3$/, call: 1, how: 'refuse' });
  const upload = at.upload('site/xlog/000000010000000000000003');
  await at.clock.wakeNext();
  await upload;
  await at.upload('site/timeline/00000002.history', { fileType: 'timeline' });
  assert.deepEqual(JSON.parse(JSON.stringify(at.queue.stats.snapshot())), {
    site: {
      upload: {
        xlog: {
          data: 104,
          count: 3,
          time_taken: 1,
          failures: 2,
          xlogs_since_basebackup: 3,
          last_success: 1_795_390_792.5,
          latest_filename: '000000010000000000000003',
        },
        timeline: {
          data: 4,
          count: 1,
          time_taken: 0,
          failures: 0,
          xlogs_since_basebackup: 0,
          last_success: 1_795_390_792.5,
          latest_filename: '00000002.history',
        },
      },
    },
  });
  await at.upload('site/basebackup/x', { fileType: 'basebackup' });
  assert.equal(at.queue.stats.snapshot()['site']?.['upload']?.['xlog']?.xlogs_since_basebackup, 0);
});
