import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimulatedClock } from '../../test/support/simulated-clock.ts';
import { silentLog } from '../lib/log.ts';
import { noMetrics } from '../lib/metrics.ts';
import { systemRandom } from '../lib/random.ts';
import { MemoryStore } from '../storage/memory/driver.ts';
import { sourceOfBytes } from '../storage/object-source.ts';
import { passOn } from '../storage/pass-on.ts';
import { storeThrottled, storeUnreachable } from '../storage/store-errors.ts';
import { withLimit } from '../storage/with-limit.ts';
import { UploadQueue } from './upload-queue.ts';

const threads = 8;
const uploadMs = 50;
const halfHourMs = 30 * 60_000;
const hoursMs = 2 * 60 * 60_000;

interface Sent {
  readonly atMs: number;
  /** With this one. */
  readonly atOnce: number;
}

/** A store that takes its time, and fails until a moment; what was sent to it, and what was told. */
class Storm {
  readonly clock = new SimulatedClock();
  readonly memory = new MemoryStore();
  readonly sent: Sent[] = [];
  readonly told = new Set<string>();
  readonly queue: UploadQueue;
  readonly #store;

  constructor(endMs: number, fail: () => Error) {
    let atOnce = 0;
    const slow = {
      ...passOn(this.memory),
      put: async (...call: Parameters<MemoryStore['put']>) => {
        this.sent.push({ atMs: this.clock.monotonicMs(), atOnce: ++atOnce });
        try {
          await this.clock.sleep(uploadMs);
          if (this.clock.monotonicMs() < endMs) throw fail();
          return await this.memory.put(...call);
        } finally {
          atOnce--;
        }
      },
    };
    this.#store = withLimit(slow, threads);
    this.queue = new UploadQueue({
      threads,
      log: silentLog,
      metrics: noMetrics,
      warningLimit: 3,
      onTrouble: (site) => void this.told.add(site),
      onRecovered: (site) => void this.told.delete(site),
      clock: this.clock,
      random: systemRandom,
    });
  }

  async store(count: number): Promise<void> {
    const metadata = {};
    const uploads = Array.from({ length: count }, (_, n) =>
      this.queue.upload({
        site: 'site',
        store: this.#store,
        key: `wal/${n}`,
        source: sourceOfBytes(Buffer.from('x')),
        metadata,
        fileType: 'xlog',
      }),
    );
    await Promise.all(uploads);
  }
}

test('half an hour of 503: few requests, one at a time, and full speed afterwards (4)', async () => {
  const storm = new Storm(halfHourMs, () => storeThrottled('store', 'it', 30_000));
  const uploads = 60;
  await storm.clock.run(storm.store(uploads));
  const during = storm.sent.filter(({ atMs }) => atMs > 10_000 && atMs < halfHourMs - uploadMs);
  assert.ok(during.length <= (uploads * halfHourMs) / 30_000, `${during.length} requests in half an hour`);
  assert.ok(
    during.every(({ atOnce }) => atOnce === 1),
    'more than one at a time',
  );
  const after = storm.sent.filter(({ atMs }) => atMs >= halfHourMs);
  assert.ok(after.length <= uploads + 1, 'what was stored was stored once');
  assert.ok(storm.clock.monotonicMs() < halfHourMs + 60_000, 'the backlog is drained within a minute');
  assert.deepEqual([...storm.told], [], 'the alert went away');
  await storm.clock.run(storm.store(uploads));
  assert.equal(storm.sent.at(-1)?.atOnce, threads, 'full speed again');
});

test('a store that is down for hours is asked by each upload every ten seconds at most, and then gets everything (10)', async () => {
  const storm = new Storm(hoursMs, () => storeUnreachable('store', 'it'));
  await storm.clock.run(storm.store(threads));
  assert.ok(storm.sent.length < (threads * hoursMs) / 10_000, `${storm.sent.length} requests`);
  assert.ok(storm.clock.monotonicMs() < hoursMs + 30_000);
  assert.deepEqual([...storm.told], []);
  const stored: string[] = [];
  for await (const { key } of storm.memory.list('wal/')) stored.push(key);
  assert.equal(stored.length, threads);
});
