import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { isOperatorError } from '../lib/errors.ts';
import { ZstdDecoder, ZstdEncoder } from './zstd.ts';

const skippable = Buffer.concat([Buffer.from('5f2a4d1804000000', 'hex'), randomBytes(4)]);

async function encode(level: number, ...pieces: Uint8Array[]): Promise<Buffer> {
  const parts: Buffer[] = [];
  const encoder = new ZstdEncoder(level, (part) => void parts.push(Buffer.from(part)));
  for (const piece of pieces) await encoder.update(piece);
  await encoder.finish();
  encoder.dispose();
  return Buffer.concat(parts);
}

async function decode(bytes: Uint8Array, pieceBytes = bytes.length || 1): Promise<Buffer> {
  const parts: Buffer[] = [];
  const decoder = new ZstdDecoder((part) => void parts.push(Buffer.from(part)));
  try {
    for (let at = 0; at < bytes.length; at += pieceBytes) await decoder.update(bytes.subarray(at, at + pieceBytes));
    decoder.finish();
  } finally {
    decoder.dispose();
  }
  return Buffer.concat(parts);
}

/** The length of the first frame, for frames with a checksum, without content size and dictionary, read by RFC 8878. */
function firstFrameBytes(stream: Buffer): number {
  assert.equal(stream.readUInt32LE(0), 0xfd2fb528);
  assert.equal(stream.readUInt8(4), 0x04, 'no content size, no single segment, a checksum, no dictionary');
  let at = 6;
  for (let last = false; !last; ) {
    const header = stream.readUIntLE(at, 3);
    last = (header & 1) === 1;
    at += 3 + ((header & 6) === 2 ? 1 : header >> 3);
  }
  return at + 4;
}

/** Text that compresses better the more is tried. */
function someText(): Buffer {
  let state = 1;
  const next = (max: number) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % max;
  };
  return Buffer.from(Array.from({ length: 20_000 }, () => `word${next(50)}${['a', 'be', 'see'][next(3)]} `).join(''));
}

test('exactly one frame is written, with a checksum and without content size', async () => {
  for (const pieces of [
    [],
    [Buffer.from('x')],
    [Buffer.alloc(700_000, 'abc')],
    [randomBytes(1 << 20), randomBytes(5), Buffer.alloc(1 << 20)],
  ]) {
    const stream = await encode(3, ...pieces);
    assert.equal(firstFrameBytes(stream), stream.length);
    assert.deepEqual(zstdDecompressSync(stream), Buffer.concat(pieces));
    assert.deepEqual(await decode(stream), Buffer.concat(pieces));
  }
});

test('an end that falls on a full output buffer does not begin a second frame', async () => {
  for (const bytes of [131_072 * 3 - 1, 131_072 * 4, 131_072 * 4 + 1, 524_288 - 12, 524_288 - 3]) {
    const stream = await encode(1, randomBytes(bytes));
    assert.equal(firstFrameBytes(stream), stream.length, `${bytes} bytes`);
  }
});

test('level 0 is level 3; levels differ; levels that there are not are refused', async () => {
  const plain = someText();
  const sizes = new Map<number, number>();
  for (const level of [-100, -1, 0, 1, 3, 19]) sizes.set(level, (await encode(level, plain)).length);
  assert.equal(sizes.get(0), sizes.get(3));
  assert.ok((sizes.get(-100) ?? 0) > (sizes.get(-1) ?? 0), 'faster and larger');
  assert.ok((sizes.get(-1) ?? 0) > (sizes.get(3) ?? 0), 'not the default');
  assert.ok((sizes.get(19) ?? 0) < (sizes.get(1) ?? 0));
  for (const level of [23, 1.5, Number.NaN, -200_000]) {
    assert.throws(
      () => new ZstdEncoder(level, () => {}),
      (error) => isOperatorError(error, 'compression-level-invalid'),
    );
  }
});

test('several frames and skippable ones are read to the end, in pieces of any size', async () => {
  const [first, second] = [randomBytes(300_000), Buffer.alloc(1_000_000, 'second ')];
  const withChecksum = zstdCompressSync(second, { params: { [constants.ZSTD_c_checksumFlag]: 1 } });
  const stream = Buffer.concat([
    skippable,
    await encode(1, first),
    skippable,
    skippable,
    withChecksum,
    zstdCompressSync(Buffer.alloc(0)),
    skippable,
  ]);
  const plain = Buffer.concat([first, second]);
  for (const pieceBytes of [1, 7, 1000, 65_536, stream.length])
    assert.deepEqual(await decode(stream, pieceBytes), plain, `pieces of ${pieceBytes}`);
});

test('truncation is told wherever it is', async () => {
  const stream = zstdCompressSync(Buffer.alloc(300_000, 'some text '), { params: { [constants.ZSTD_c_checksumFlag]: 1 } });
  for (let bytes = 0; bytes < stream.length; bytes++) await assert.rejects(decode(stream.subarray(0, bytes)), isCorrupt, `${bytes} bytes`);
  const two = Buffer.concat([stream, skippable, stream]);
  const ends = new Set([stream.length, stream.length + skippable.length]);
  for (let bytes = stream.length + 1; bytes < two.length; bytes++) {
    if (!ends.has(bytes)) await assert.rejects(decode(two.subarray(0, bytes)), isCorrupt, `${bytes} bytes of two frames`);
  }
});

test('what is no zstd stream is refused, also after one', async () => {
  const stream = await encode(3, Buffer.from('some text'));
  const cases = {
    nothing: Buffer.alloc(0),
    text: Buffer.from('this is no zstd stream'),
    'only a skippable frame': skippable,
    'junk at the end': Buffer.concat([stream, Buffer.from('junk')]),
    'zeros at the end': Buffer.concat([stream, Buffer.alloc(1)]),
    'reserved block type': Buffer.from('28b52ffd0000070000', 'hex'),
  };
  for (const [name, bytes] of Object.entries(cases)) await assert.rejects(decode(bytes), isCorrupt, name);
});

test('damage that zstd sees is told', async () => {
  // Bytes that do not compress, in which zstd alone would see no change.
  const stream = await encode(3, randomBytes(1000));
  for (let bit = 0; bit < stream.length * 8; bit += 3) {
    const damaged = Buffer.from(stream);
    damaged.writeUInt8(damaged.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    const plain = await decode(damaged).catch((error: unknown) => error);
    if (Buffer.isBuffer(plain)) assert.deepEqual(plain, zstdDecompressSync(stream), `bit ${bit} changes nothing`);
    else assert.ok(isCorrupt(plain), `bit ${bit}`);
  }
});

test('a window of more than 128 MiB is refused', async () => {
  // Descriptor 0, window descriptor: exponent 18 → 2^28 bytes.
  await assert.rejects(decode(Buffer.from('28b52ffd0090010000', 'hex')), isCorrupt);
});

test('what expands without end comes in small pieces that can be refused', async () => {
  const bomb = zstdCompressSync(Buffer.alloc(64 << 20));
  assert.ok(bomb.length < 10_000);
  let given = 0;
  const decoder = new ZstdDecoder((part) => {
    assert.ok(part.length <= 512 * 1024);
    given += part.length;
    if (given > 1 << 20) throw new Error('enough');
  });
  assert.throws(() => void decoder.update(bomb), { message: 'enough' });
  assert.ok(given < 2 << 20);
  decoder.dispose();
});

test('a sink that takes its time holds the next bytes back', async () => {
  const plain = Buffer.concat([randomBytes(100_000), Buffer.alloc(3 << 20, 'x')]);
  const stream = await encode(1, plain);
  const parts: Buffer[] = [];
  const decoder = new ZstdDecoder(async (part) => {
    const before = Buffer.from(part);
    await new Promise((resolve) => setImmediate(resolve));
    assert.ok(before.equals(part), 'the bytes stay valid until the promise resolves');
    parts.push(before);
  });
  for (let at = 0; at < stream.length; at += 30_000) await decoder.update(stream.subarray(at, at + 30_000));
  decoder.finish();
  decoder.dispose();
  assert.ok(Buffer.concat(parts).equals(plain));
});

function isCorrupt(error: unknown): boolean {
  return isOperatorError(error, 'object-corrupt');
}
