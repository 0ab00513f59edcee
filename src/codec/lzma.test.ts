import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isOperatorError } from '../lib/errors.ts';
import type { ByteSink } from './codec-options.ts';
import { parseLzmaPreset } from './lzma-preset.ts';
import { makeWasmLzmaDecoder, makeWasmLzmaEncoder } from './lzma-wasm.ts';
import type { Stage, StageMaker } from './stage.ts';
import { endLeftoverPrograms, findXz, XzDecoder, XzEncoder } from './xz-program.ts';

/** "hello world\n" as a legacy .lzma file with an end mark, made by xz 5.4 `--format=lzma`. */
const legacy = Buffer.from('5d00008000ffffffffffffffff00341949ee8de917893a335ffcb209822ffffde28000', 'hex');

interface Way {
  readonly name: string;
  readonly encoder: (level: number, sink: ByteSink) => Stage;
  readonly decoder: StageMaker;
}

const xz = findXz();
const ways: Way[] = [
  { name: 'WebAssembly', encoder: (level, sink) => makeWasmLzmaEncoder(parseLzmaPreset(level), sink), decoder: makeWasmLzmaDecoder },
];
if (xz !== undefined) {
  ways.push({
    name: 'the program xz',
    encoder: (level, sink) => new XzEncoder(xz, parseLzmaPreset(level), 2, sink),
    decoder: (sink) => new XzDecoder(xz, sink),
  });
}

async function through(make: StageMaker, pieces: readonly Uint8Array[]): Promise<Buffer> {
  const parts: Buffer[] = [];
  const stage = make((part) => void parts.push(Buffer.from(part)));
  try {
    for (const piece of pieces) await stage.update(piece);
    await stage.finish();
  } finally {
    stage.dispose();
  }
  return Buffer.concat(parts);
}

const encode = (way: Way, level: number, ...pieces: Uint8Array[]) => through((sink) => way.encoder(level, sink), pieces);

function decode(way: Way, bytes: Uint8Array, pieceBytes = 65_536): Promise<Buffer> {
  const pieces = Array.from({ length: Math.ceil(bytes.length / pieceBytes) }, (_, i) =>
    bytes.subarray(i * pieceBytes, (i + 1) * pieceBytes),
  );
  return through(way.decoder, pieces);
}

for (const way of ways) {
  test(`${way.name}: a stream is .xz with CRC64, and every way reads it`, async () => {
    for (const plain of [Buffer.alloc(0), Buffer.from('x'), Buffer.alloc(2_000_000, 'some text '), randomBytes(1_500_000)]) {
      const stream = await encode(way, 0, plain.subarray(0, 1_000_000), plain.subarray(1_000_000));
      assert.equal(stream.toString('hex', 0, 12), 'fd377a585a000004e6d6b446');
      for (const reader of ways) assert.ok((await decode(reader, stream)).equals(plain), `${plain.length} bytes read by ${reader.name}`);
    }
  });

  test(`${way.name}: there is one stream, however many writes and threads`, async () => {
    const stream = await encode(way, 1, ...Array.from({ length: 30 }, () => randomBytes(100_000)));
    assert.equal(stream.indexOf(Buffer.from('fd377a585a00', 'hex'), 1), -1);
    assert.equal(stream.toString('latin1', stream.length - 2), 'YZ');
  });

  test(`${way.name}: a higher preset, and the extreme one, are really used`, async () => {
    const plain = Buffer.from(Array.from({ length: 30_000 }, (_, i) => `${(i * 7919) % 10_007} `).join(''));
    const sizes = [];
    for (const level of [0, 6, 6 + 2 ** 31]) sizes.push((await encode(way, level, plain)).length);
    const [fast = 0, normal = 0, extreme = 0] = sizes;
    assert.ok(fast > normal, `${fast} > ${normal}`);
    assert.notEqual(normal, extreme);
  });

  test(`${way.name}: streams after each other, padding and legacy .lzma are read`, async () => {
    const [first, second] = [randomBytes(100_000), Buffer.alloc(100_000, 'b')];
    const two = Buffer.concat([await encode(way, 0, first), Buffer.alloc(4), await encode(way, 0, second)]);
    for (const pieceBytes of [1000, 65_536, two.length]) {
      assert.ok((await decode(way, two, pieceBytes)).equals(Buffer.concat([first, second])), `in pieces of ${pieceBytes}`);
    }
    assert.equal((await decode(way, legacy, 1)).toString(), 'hello world\n');
  });

  test(`${way.name}: damage of any kind is told`, async () => {
    const stream = await encode(way, 0, Buffer.from('some text that is not long, some text that is not long'));
    const flipped = Buffer.from(stream);
    flipped.writeUInt8(flipped.readUInt8(30) ^ 0x10, 30);
    const cases = {
      nothing: Buffer.alloc(0),
      text: Buffer.from('this is no xz stream, not at all'),
      'junk at the end': Buffer.concat([stream, Buffer.from('j')]),
      'padding of a wrong size': Buffer.concat([stream, Buffer.alloc(3)]),
      'junk after .lzma': Buffer.concat([legacy, Buffer.from('j')]),
      'flipped bit': flipped,
      'a stream cut in its index': stream.subarray(0, -15),
      'a second stream that is cut': Buffer.concat([stream, stream.subarray(0, 20)]),
    };
    for (const [name, bytes] of Object.entries(cases)) await assert.rejects(decode(way, bytes), isCorrupt, name);
  });

  test(`${way.name}: a dictionary of 1 GiB is refused`, async () => {
    const greedy = Buffer.from(legacy);
    greedy.writeUInt32LE(1 << 30, 1);
    await assert.rejects(decode(way, greedy), isCorrupt);
  });

  test(`${way.name}: what expands without end can be refused on the way`, async () => {
    const bomb = await encode(way, 0, Buffer.alloc(32 << 20));
    assert.ok(bomb.length < 20_000);
    let given = 0;
    const limited = through(
      (sink) =>
        way.decoder(async (part) => {
          given += part.length;
          if (given > 1 << 20) throw new Error('enough');
          await sink(part);
        }),
      [bomb],
    );
    await assert.rejects(limited, { message: 'enough' });
    assert.ok(given < 4 << 20, 'it stopped soon');
  });
}

test('WebAssembly: a cut is told wherever it is', async () => {
  const [way] = ways;
  assert.ok(way);
  const stream = await encode(way, 0, Buffer.from('some text, some text, some text'));
  for (let bytes = 0; bytes < stream.length; bytes++)
    await assert.rejects(decode(way, stream.subarray(0, bytes)), isCorrupt, `${bytes} bytes`);
});

test('WebAssembly: a level that needs more memory than there is says so', async () => {
  const [way] = ways;
  assert.ok(way);
  await assert.rejects(encode(way, 9, Buffer.from('x')), (error) => isOperatorError(error, 'lzma-memory'));
});

test('levels that there are not are refused', () => {
  for (const level of [-1, 10, 1.5, 2 ** 31 + 10, Number.NaN]) {
    assert.throws(
      () => parseLzmaPreset(level),
      (error) => isOperatorError(error, 'compression-level-invalid'),
      `${level}`,
    );
  }
  assert.deepEqual(parseLzmaPreset(2 ** 31 + 9), { preset: 9, extreme: true });
});

test('xz is looked for in PATH; the one of busybox does not count', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'xz-'));
  t.after(() => rm(directory, { recursive: true }));
  for (const name of ['empty', 'plain', 'good', 'busy']) mkdirSync(join(directory, name));
  writeFileSync(join(directory, 'plain', 'xz'), 'not executable', { mode: 0o644 });
  writeFileSync(join(directory, 'good', 'xz'), '#!/bin/sh', { mode: 0o755 });
  writeFileSync(join(directory, 'busy', 'busybox'), '#!/bin/sh', { mode: 0o755 });
  symlinkSync('busybox', join(directory, 'busy', 'xz'));
  const path = (...names: string[]) => names.map((name) => (name === '' ? '' : join(directory, name))).join(':');

  assert.equal(findXz(path('empty', '', 'plain', 'busy', 'good')), join(directory, 'good', 'xz'));
  assert.equal(findXz(path('empty', 'busy')), undefined);
  assert.equal(findXz(''), undefined);
});

test('a program that fails by itself is not taken for damage of the object', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'xz-'));
  t.after(() => rm(directory, { recursive: true }));
  const dying = join(directory, 'xz');
  writeFileSync(dying, '#!/bin/sh\nkill -9 $$\n', { mode: 0o755 });
  for (const program of [dying, join(directory, 'missing')]) {
    await assert.rejects(
      through((sink) => new XzDecoder(program, sink), [randomBytes(500_000)]),
      isFailure,
    );
    await assert.rejects(
      through((sink) => new XzEncoder(program, { preset: 0, extreme: false }, 1, sink), [randomBytes(500_000)]),
      isFailure,
    );
  }
});

test('programs that a failed job leaves behind are ended', async () => {
  assert.ok(xz, 'npm test installs xz');
  const encoder = new XzEncoder(xz, { preset: 0, extreme: false }, 1, () => {});
  await encoder.update(randomBytes(1000));
  endLeftoverPrograms();
  await assert.rejects(encoder.finish(), (error) => isOperatorError(error, 'xz-failed'));
});

function isCorrupt(error: unknown): boolean {
  return isOperatorError(error, 'object-corrupt');
}

function isFailure(error: unknown): boolean {
  return isOperatorError(error, 'xz-failed') && error.retryable;
}
