import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { collect, failingSource, patternSource } from './contract-tools.ts';
import type { ObjectSource } from './object-store.ts';
import { type Part, partBytesFor, uploadInParts, wholeSource } from './parts.ts';
import { storeThrottled, storeUnreachable } from './store-errors.ts';

const mebibyte = 1024 * 1024;
const gibibyte = 1024 * mebibyte;
const limits = { partBytes: 8 * mebibyte, partBytesMax: 5 * gibibyte, partsMax: 10_000 };
const retryPolicy = { attemptsMax: 3, delayMsFirst: 1, delayMsMax: 1 };

const sizes: [what: string, objectBytes: number, partBytes: number][] = [
  ['nothing', 0, 8 * mebibyte],
  ['a byte', 1, 8 * mebibyte],
  ['as many usual parts as may be', 80_000 * mebibyte, 8 * mebibyte],
  ['one byte more', 80_000 * mebibyte + 1, 9 * mebibyte],
  ['20 TB', 20e12, 1908 * mebibyte],
  ['as much as the store can hold', 50_000 * gibibyte, 5 * gibibyte],
];
for (const [what, objectBytes, partBytes] of sizes) {
  test(`parts for ${what} have ${partBytes} bytes, and there are not too many`, () => {
    assert.equal(partBytesFor(objectBytes, limits, 'it'), partBytes);
    assert.ok(Math.ceil(objectBytes / partBytes) <= limits.partsMax);
  });
}

test('what is too large even in the largest parts is refused, with what the store takes', () => {
  assert.throws(() => partBytesFor(50_000 * gibibyte + 1, limits, 'it'), {
    code: 'object-too-large',
    message: /up to 53687091200000 bytes/,
  });
});

test('parts that would be rounded beyond what the store takes are as large as it takes', () => {
  assert.equal(partBytesFor(1_500_000, { partBytes: 100, partBytesMax: 200_000, partsMax: 10 }, 'it'), 200_000);
});

interface Sent {
  readonly parts: Part[];
  readonly send: (part: Part) => Promise<void>;
}

function sending(): Sent {
  const parts: Part[] = [];
  return { parts, send: async (part) => void parts.push({ ...part, bytes: Buffer.from(part.bytes) }) };
}

test('parts take the memory of parts that were sent, so that an upload of any size has the same few', async () => {
  const { source, matches } = patternSource(250_500);
  const memory = new Set<ArrayBufferLike>();
  await uploadInParts(source, { key: 'k', partBytes: 1_000, parallel: 3 }, async ({ bytes, position }) => {
    memory.add(bytes.buffer);
    await nextTurn();
    assert.ok(matches(bytes, position), `bytes differ after ${position}`);
  });
  assert.ok(memory.size <= 4, `${memory.size} parts in memory`);
});

for (const size of [0, 1, 999, 1_000, 1_001, 2_000, 250_000]) {
  test(`${size} bytes are cut into parts that make the whole again`, async () => {
    const { source, matches } = patternSource(size);
    const { parts, send } = sending();
    await uploadInParts(source, { key: 'k', partBytes: 1_000, parallel: 3 }, send);
    const sorted = parts.toSorted((a, b) => a.number - b.number);
    assert.equal(sorted.length, Math.max(1, Math.ceil(size / 1_000)));
    let position = 0;
    for (const [i, part] of sorted.entries()) {
      assert.deepEqual([part.number, part.position], [i + 1, position]);
      assert.ok(matches(part.bytes, position));
      position += part.bytes.length;
    }
    assert.equal(position, size);
  });
}

for (const [what, announced] of [
  ['longer', 2_499],
  ['longer by whole parts', 1_000],
  ['shorter', 2_501],
  ['much shorter', 9_000],
] as const) {
  test(`a source ${what} than announced is refused`, async () => {
    const source = { ...patternSource(2_500).source, size: announced };
    const upload = { key: 'k', partBytes: 1_000, parallel: 2 };
    await assert.rejects(uploadInParts(source, upload, sending().send), { code: 'store-failed', retryable: false });
    await assert.rejects(wholeSource(source, 'k', undefined), { code: 'store-failed', retryable: false });
  });
}

test('a whole source is one buffer, an empty one too', async () => {
  const { source, matches } = patternSource(250_000);
  const bytes = await wholeSource(source, 'k', undefined);
  assert.ok(matches(bytes, 0));
  assert.equal(bytes.length, 250_000);
  assert.equal((await wholeSource(patternSource(0).source, 'k', undefined)).length, 0);
});

test('a part whose failure may pass is sent again, the others go on', async () => {
  const { source } = patternSource(5_000);
  const attempts = new Map<number, number>();
  await uploadInParts(source, { key: 'k', partBytes: 1_000, parallel: 2, retryPolicy }, async ({ number }) => {
    attempts.set(number, (attempts.get(number) ?? 0) + 1);
    if (number === 3 && attempts.get(3) !== 3) throw storeThrottled('store', 'it', 0);
  });
  assert.deepEqual([...attempts.values()], [1, 1, 3, 1, 1]);
});

test('a part that fails for good ends the upload: nothing more is read or sent, and parts under way are stopped and awaited', async () => {
  const read = { bytes: 0, left: false };
  const source: ObjectSource = {
    size: 100_000,
    async *open() {
      try {
        for (; read.bytes < 100_000; read.bytes += 1_000) yield Buffer.alloc(1_000);
      } finally {
        read.left = true;
      }
    },
  };
  const underWay = new Set<number>();
  const started: number[] = [];
  const send = async ({ number }: Part, signal: AbortSignal) => {
    started.push(number);
    if (number === 2) throw new Error('refused for good');
    underWay.add(number);
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    await new Promise((resolve) => setImmediate(resolve));
    underWay.delete(number);
  };
  await assert.rejects(uploadInParts(source, { key: 'k', partBytes: 1_000, parallel: 3, retryPolicy }, send), /refused for good/);
  assert.ok(started.length <= 3, `${started.length} parts were begun`);
  assert.deepEqual([underWay.size, read.left], [0, true]);
  assert.ok(read.bytes <= 4_000);
});

test('failures that stay are those of the part, however many attempts it had', async () => {
  let attempts = 0;
  const send = async () => {
    attempts++;
    throw storeUnreachable('store', 'it');
  };
  const upload = { key: 'k', partBytes: 1_000, parallel: 1, retryPolicy };
  await assert.rejects(uploadInParts(patternSource(500).source, upload, send), { code: 'store-unreachable' });
  assert.equal(attempts, retryPolicy.attemptsMax);
});

test('a source that fails is the failure of the upload', async () => {
  const upload = { key: 'k', partBytes: 1_000, parallel: 2 };
  await assert.rejects(uploadInParts(failingSource(2_500, 5_000), upload, sending().send), /injected/);
});

test('an abort ends it while the source hangs, and while a part hangs', async () => {
  const hangs = new Promise<never>(() => {});
  const source: ObjectSource = {
    size: 10_000,
    async *open() {
      yield Buffer.alloc(1_500);
      await hangs;
    },
  };
  for (const hangingPart of [false, true]) {
    const stop = new AbortController();
    const send = async (_: Part, signal: AbortSignal) => {
      if (!hangingPart) return;
      await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }));
    };
    const uploading = uploadInParts(source, { key: 'k', partBytes: 1_000, parallel: 2, signal: stop.signal }, send);
    setImmediate(() => stop.abort(new Error('stopped by the test')));
    await assert.rejects(uploading, /stopped by the test/);
  }
  const stop = new AbortController();
  setImmediate(() => stop.abort(new Error('stopped by the test')));
  await assert.rejects(wholeSource(source, 'k', stop.signal), /stopped by the test/);
});

test('nothing is read once it is aborted', async () => {
  let opened = false;
  const source: ObjectSource = {
    size: 1,
    async *open() {
      opened = true;
      yield Buffer.alloc(1);
    },
  };
  const signal = AbortSignal.abort(new Error('stopped by the test'));
  await assert.rejects(uploadInParts(source, { key: 'k', partBytes: 10, parallel: 1, signal }, sending().send), /stopped by the test/);
  assert.equal(opened, false);
});

test('no more is read than is sent: as many parts as at once and the one being filled', async () => {
  let read = 0;
  const source: ObjectSource = {
    size: 100_000,
    async *open() {
      for (; read < 100_000; ) {
        read += 500;
        yield Buffer.alloc(500);
      }
    },
  };
  const gates: (() => void)[] = [];
  const send = () => new Promise<void>((resolve) => void gates.push(resolve));
  const uploading = uploadInParts(source, { key: 'k', partBytes: 1_000, parallel: 3 }, send);
  for (let released = 0; released < 100; ) {
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
    assert.ok(gates.length <= 3, `${gates.length} parts at once`);
    assert.ok(read <= (released + 4) * 1_000, `${read} bytes read with ${released} parts sent`);
    released += gates.length;
    for (const open of gates.splice(0)) open();
  }
  await uploading;
  assert.equal((await collect(source.open())).length, 0);
});
