import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FaultyStore } from '../../test/support/store.ts';
import { objectStoreContract } from './contract.ts';
import { collect, patternSource } from './contract-tools.ts';
import { MemoryStore } from './memory/driver.ts';
import type { ObjectBody, ObjectStore } from './object-store.ts';
import { passOn } from './pass-on.ts';
import { withLimit } from './with-limit.ts';
import { withParallelRanges } from './with-parallel-ranges.ts';
import { withRetry } from './with-retry.ts';

const ranges = { rangeBytes: 1_000, parallel: 3, fromBytes: 2_500 };
const size = 10_500;
const pattern = patternSource(size);

interface Asked {
  readonly start: number | undefined;
  readonly end: number | undefined;
}

/** Remembers what was asked for; bodies come in pieces of 300 bytes, and are counted while they are open. */
class WatchedStore {
  readonly asked: Asked[] = [];
  open = 0;
  openMax = 0;
  readonly store: ObjectStore;

  constructor(inner: ObjectStore) {
    const get: ObjectStore['get'] = async (key, options) => {
      this.asked.push({ start: options?.range?.start, end: options?.range?.end });
      const body = await inner.get(key, options);
      return { ...body, bytes: this.#watched(body) };
    };
    this.store = { ...passOn(inner), get };
  }

  async *#watched({ bytes }: ObjectBody): AsyncGenerator<Uint8Array> {
    this.openMax = Math.max(this.openMax, ++this.open);
    try {
      for await (const piece of bytes) {
        for (let at = 0; at < piece.length; at += 300) {
          await new Promise((resolve) => setImmediate(resolve));
          yield piece.subarray(at, at + 300);
        }
      }
    } finally {
      this.open--;
    }
  }
}

async function watched(): Promise<WatchedStore & { memory: MemoryStore }> {
  const memory = new MemoryStore();
  await memory.put('large', pattern.source, { metadata: { a: 'b' } });
  return Object.assign(new WatchedStore(memory), { memory });
}

for (const { fact, holds } of objectStoreContract) {
  test(`in parallel ranges: ${fact}`, () =>
    holds(withParallelRanges(new MemoryStore(), { rangeBytes: 300_001, parallel: 2, fromBytes: 600_000 })));
}

test('a large object is asked for range by range, several at once, and comes in order', async () => {
  const { store, asked, openMax } = await watched().then(async (at) => {
    const body = await withParallelRanges(at.store, ranges).get('large');
    let position = 0;
    for await (const piece of body.bytes) {
      assert.ok(pattern.matches(piece, position), `bytes differ after ${position}`);
      position += piece.length;
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.deepEqual([position, body.entry.size, body.entry.metadata], [size, size, { a: 'b' }]);
    return at;
  });
  assert.ok(store);
  const starts = Array.from({ length: 10 }, (_, i) => ({ start: (i + 1) * 1_000, end: Math.min(size, (i + 2) * 1_000) }));
  assert.deepEqual(asked, [{ start: undefined, end: undefined }, ...starts]);
  assert.ok(openMax > 1 && openMax <= 4, `${openMax} at once`);
});

test('no more is fetched ahead than is to be held in memory, however slow the reader', async () => {
  const at = await watched();
  const { bytes } = await withParallelRanges(at.store, ranges).get('large');
  const reader = bytes[Symbol.asyncIterator]();
  await reader.next();
  for (let i = 0; i < 200; i++) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(at.asked.length, 1 + ranges.parallel);
  await reader.return?.();
  assert.equal(at.open, 0, 'who leaves leaves nothing open');
});

test('a part of an object is read the same way, and a small part or object with one request', async () => {
  const at = await watched();
  const store = withParallelRanges(at.store, ranges);
  const whole = Buffer.concat(await collect(pattern.source.open()));
  const part = Buffer.concat(await collect((await store.get('large', { range: { start: 700, end: 99_000 } })).bytes));
  assert.ok(part.equals(whole.subarray(700)));
  assert.equal(at.asked.length, 10);
  const small = Buffer.concat(await collect((await store.get('large', { range: { start: 100, end: 2_000 } })).bytes));
  assert.ok(small.equals(whole.subarray(100, 2_000)));
  assert.equal(at.asked.length, 11);
});

test('ranges that break off go on where they stopped', async () => {
  const memory = new MemoryStore();
  await memory.put('large', pattern.source, { metadata: {} });
  const faulty = new FaultyStore(memory, [{ operation: 'get', how: 'cut', after: 400 }]);
  const clock = { now: () => new Date(), monotonicMs: () => 0, sleep: async () => {} };
  const retried = withRetry(withLimit(faulty, 2), { attemptsMax: 3, delayMsFirst: 1, delayMsMax: 1 }, { clock });
  const { bytes } = await withParallelRanges(retried, ranges).get('large');
  const read = Buffer.concat(await collect(bytes));
  assert.ok(pattern.matches(read, 0));
  assert.equal(read.length, size);
});

test('an object that is replaced while it is read is not mixed with the new one', async () => {
  const at = await watched();
  const { bytes } = await withParallelRanges(at.store, ranges).get('large');
  const reader = bytes[Symbol.asyncIterator]();
  await reader.next();
  await at.memory.put(
    'large',
    {
      size,
      open: async function* () {
        yield Buffer.alloc(size);
      },
    },
    { metadata: {} },
  );
  const readOn = async () => {
    for (;;) if ((await reader.next()).done) return;
  };
  await assert.rejects(readOn(), { code: 'store-failed', message: /replaced while it was being read/ });
  assert.equal(at.open, 0);
});

test('a failure of one range is the failure of the whole, and ends the others', async () => {
  const at = await watched();
  const faulty = new FaultyStore(at.store, [{ operation: 'get', call: 3, how: 'refuse' }]);
  const { bytes } = await withParallelRanges(faulty, ranges).get('large');
  await assert.rejects(collect(bytes), { code: 'store-unreachable' });
  assert.equal(at.open, 0);
});

test('an abort ends it while ranges are awaited', async () => {
  const at = await watched();
  const stop = new AbortController();
  const { bytes } = await withParallelRanges(at.store, ranges).get('large', { signal: stop.signal });
  const reading = collect(bytes);
  stop.abort(new Error('stopped by the test'));
  await assert.rejects(reading, /stopped by the test/);
  assert.equal(at.open, 0);
});
