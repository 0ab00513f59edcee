import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { crc32c } from '@node-rs/crc32';
import * as fc from 'fast-check';
import { Compressor, compressSync } from 'snappy';
import { isOperatorError } from '../lib/errors.ts';
import { SnappyDecoder } from './snappy-decoder.ts';
import { SnappyEncoder } from './snappy-encoder.ts';

const identifier = Buffer.from('ff060000734e61507059', 'hex');

async function encode(...pieces: Uint8Array[]): Promise<Buffer> {
  const parts: Buffer[] = [];
  const encoder = new SnappyEncoder((part) => void parts.push(Buffer.from(part)));
  for (const piece of pieces) await encoder.update(piece);
  await encoder.finish();
  return Buffer.concat(parts);
}

async function decode(bytes: Uint8Array, pieceBytes = bytes.length || 1): Promise<Buffer> {
  const parts: Buffer[] = [];
  const decoder = new SnappyDecoder((part) => void parts.push(Buffer.from(part)));
  for (let at = 0; at < bytes.length; at += pieceBytes) await decoder.update(bytes.subarray(at, at + pieceBytes));
  decoder.finish();
  return Buffer.concat(parts);
}

function masked(plain: Buffer): Buffer {
  const checksum = crc32c(plain);
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE((((checksum >>> 15) | (checksum << 17)) + 0xa282ead8) >>> 0);
  return bytes;
}

function chunk(type: number, body: Buffer): Buffer {
  const header = Buffer.from([type, 0, 0, 0]);
  header.writeUIntLE(body.length, 1, 3);
  return Buffer.concat([header, body]);
}

const compressed = (plain: Buffer) => chunk(0x00, Buffer.concat([masked(plain), compressSync(plain)]));
const uncompressed = (plain: Buffer) => chunk(0x01, Buffer.concat([masked(plain), plain]));

/** The chunks of a stream as `[type, plain bytes]`, read by the format's description. */
function chunksOf(stream: Buffer): [number, number][] {
  const chunks: [number, number][] = [];
  for (let at = 0; at < stream.length; at += 4 + stream.readUIntLE(at + 1, 3)) {
    const type = stream.readUInt8(at);
    const data = stream.subarray(at + 8, at + 4 + stream.readUIntLE(at + 1, 3));
    const varint = data.length > 2 ? (data.readUInt8(0) & 0x7f) | ((data.readUInt8(1) & 0x7f) << 7) | (data.readUInt8(2) << 14) : 0;
    chunks.push([type, type === 0 ? varint : data.length]);
  }
  return chunks;
}

test('a stream has the documented bytes: identifier, then chunks of at most 64 KiB, raw where they do not shrink', async () => {
  const stream = await encode(Buffer.alloc(65_536 * 2, 'a'), randomBytes(65_536));
  assert.deepEqual(stream.subarray(0, 10), identifier);
  assert.deepEqual(chunksOf(stream.subarray(10)), [
    [0, 65_536],
    [0, 65_536],
    [1, 65_536],
  ]);
});

test('checksums are left to whoever compares the whole, where that is asked for', () => {
  const plain = Buffer.from('some text, and the wrong checksum');
  const stream = Buffer.concat([identifier, chunk(0x00, Buffer.concat([Buffer.alloc(4), compressSync(plain)]))]);
  const parts: Buffer[] = [];
  const decoder = new SnappyDecoder((part) => void parts.push(Buffer.from(part)), { withChecksums: false });
  void decoder.update(stream);
  decoder.finish();
  assert.deepEqual(Buffer.concat(parts), plain);
  assert.throws(() => new SnappyDecoder(() => {}).update(stream), /does not match its checksum/);
});

test('the checksum is the published one', () => {
  assert.deepEqual(
    masked(Buffer.from('123456789')),
    (() => {
      const expected = Buffer.alloc(4);
      const published = 0xe3069283;
      expected.writeUInt32LE((((published >>> 15) | (published << 17)) + 0xa282ead8) >>> 0);
      return expected;
    })(),
  );
});

test('a stream of nothing is its identifier, and what has no stream at all is damaged', async () => {
  assert.deepEqual(await encode(), identifier);
  assert.deepEqual(await decode(identifier), Buffer.alloc(0));
  await assert.rejects(decode(Buffer.alloc(0)), isCorrupt);
});

test('every kind of chunk is read, in pieces of any size', async () => {
  const [small, middle, raw] = [Buffer.from('x'), Buffer.alloc(5000, 'middle '), randomBytes(3000)];
  const stream = Buffer.concat([
    identifier,
    compressed(small),
    chunk(0x80, randomBytes(70)),
    uncompressed(raw),
    identifier,
    chunk(0xfe, Buffer.alloc(0)),
    compressed(middle),
    uncompressed(Buffer.alloc(0)),
    compressed(Buffer.alloc(0)),
    chunk(0xfd, randomBytes(200_000)),
    compressed(small),
  ]);
  const plain = Buffer.concat([small, raw, middle, small]);
  for (const pieceBytes of [1, 2, 3, 4, 5, 9, 10, 11, 100, 3001, 65_536, stream.length]) {
    assert.deepEqual(await decode(stream, pieceBytes), plain, `in pieces of ${pieceBytes}`);
  }
});

test('the largest chunks there are fit, also in parts', async () => {
  const [raw, shrunk] = [randomBytes(65_536), Buffer.alloc(65_536, 'ab')];
  const incompressible = randomBytes(65_536);
  const stream = Buffer.concat([identifier, uncompressed(raw), compressed(shrunk), compressed(incompressible)]);
  assert.deepEqual(await decode(stream, 50_000), Buffer.concat([raw, shrunk, incompressible]));
});

test('what only claims to be large is refused before memory is taken for it', async () => {
  const cases = {
    'compressed chunk longer than snappy can make it': Buffer.from('00ffffff', 'hex'),
    'raw chunk longer than 64 KiB': chunk(0x01, Buffer.alloc(65_541)),
    'compressed chunk that holds more than 64 KiB': compressed(Buffer.alloc(65_537)),
    'compressed chunk that says it holds 4 GiB': chunk(0x00, Buffer.from('00000000ffffffff0f00', 'hex')),
    'length that does not end': chunk(0x00, Buffer.from('00000000ffffffffffffff', 'hex')),
    'identifier of another length': Buffer.from('ff070000734e6150705900', 'hex'),
  };
  for (const [name, bytes] of Object.entries(cases)) {
    await assert.rejects(decode(Buffer.concat([identifier, bytes])), isCorrupt, name);
    await assert.rejects(decode(Buffer.concat([identifier, bytes]), 1), isCorrupt, `${name}, byte by byte`);
  }
});

test('damage is told', async () => {
  const good = compressed(Buffer.from('some bytes that are checked, some bytes that are checked'));
  const flipped = Buffer.from(good);
  flipped.writeUInt8(flipped.readUInt8(4) ^ 1, 4);
  const cases = {
    'flipped checksum': Buffer.concat([identifier, flipped]),
    'no identifier': good,
    text: Buffer.from('this is no snappy stream'),
    'another magic': Buffer.concat([Buffer.from('ff060000734e61507058', 'hex'), good]),
    'reserved chunk type': Buffer.concat([identifier, chunk(0x02, Buffer.alloc(10)), good]),
    'last reserved chunk type': Buffer.concat([identifier, chunk(0x7f, Buffer.alloc(10)), good]),
    'chunk without a checksum': Buffer.concat([identifier, chunk(0x01, Buffer.alloc(3))]),
    'chunk without a block': Buffer.concat([identifier, chunk(0x00, Buffer.alloc(4))]),
    'junk at the end': Buffer.concat([identifier, good, Buffer.from('junk')]),
    'ends within a skipped chunk': Buffer.concat([identifier, good, chunk(0x80, Buffer.alloc(10)).subarray(0, 8)]),
  };
  for (const [name, bytes] of Object.entries(cases)) await assert.rejects(decode(bytes), isCorrupt, name);
});

test('a cut within a chunk is told wherever it is', async () => {
  const stream = Buffer.concat([identifier, compressed(Buffer.from('some bytes')), uncompressed(Buffer.from('others'))]);
  const ends = new Set([10, 10 + compressed(Buffer.from('some bytes')).length]);
  for (let bytes = 0; bytes < stream.length; bytes++) {
    if (ends.has(bytes)) continue;
    await assert.rejects(decode(stream.subarray(0, bytes)), isCorrupt, `${bytes} bytes`);
  }
});

test('flipped bits never go unnoticed where data are', async () => {
  const stream = Buffer.concat([identifier, compressed(Buffer.from('abcabcabcabcabcabcabcabcabcabcabc'))]);
  for (let bit = (identifier.length + 4) * 8; bit < stream.length * 8; bit++) {
    const damaged = Buffer.from(stream);
    damaged.writeUInt8(damaged.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    await assert.rejects(decode(damaged), isCorrupt, `bit ${bit}`);
  }
});

test('random bytes are refused, not believed', async () => {
  for (let round = 0; round < 200; round++) {
    await assert.rejects(decode(Buffer.concat([identifier, chunk(0x00, randomBytes(60))])), isCorrupt);
  }
});

test('however the bytes come, the stream is the one that the library makes of them chunk by chunk', async () => {
  const anyPiece = fc.record({
    bytes: fc.oneof(fc.integer({ min: 0, max: 200_000 }), fc.constantFrom(1, 65_535, 65_536, 65_537, 20 * 65_536)),
    isRandom: fc.boolean(),
  });
  const holds = async (pieces: { readonly bytes: number; readonly isRandom: boolean }[]) => {
    const plain = pieces.map(({ bytes, isRandom }) => (isRandom ? randomBytes(bytes) : Buffer.alloc(bytes, 'plain text ')));
    const ended = { encoded: await encodeSlowly(plain), expected: await encodeByLibrary(plain) };
    assert.ok(ended.encoded.equals(ended.expected), `${ended.encoded.length} bytes, not ${ended.expected.length}`);
  };
  await fc.assert(fc.asyncProperty(fc.array(anyPiece, { maxLength: 8 }), holds), { numRuns: 60 });
});

async function encodeSlowly(pieces: readonly Buffer[]): Promise<Buffer> {
  const parts: Buffer[] = [];
  const encoder = new SnappyEncoder(async (part) => {
    await new Promise((resolve) => setImmediate(resolve));
    parts.push(Buffer.from(part));
  });
  for (const piece of pieces) {
    const passing = Buffer.from(piece);
    await encoder.update(passing);
    passing.fill(0);
  }
  await encoder.finish();
  encoder.dispose();
  return Buffer.concat(parts);
}

async function encodeByLibrary(pieces: readonly Buffer[]): Promise<Buffer> {
  if (pieces.every(({ length }) => length === 0)) return identifier;
  const compressor = new Compressor();
  const plain = Buffer.concat(pieces);
  const chunks = Array.from({ length: Math.ceil(plain.length / 65_536) }, (_, at) => plain.subarray(at * 65_536, (at + 1) * 65_536));
  return Buffer.concat([...chunks.map((bytes) => compressor.update(bytes)), await compressor.finish()]);
}

test('a sink that takes its time holds the next bytes back', async () => {
  const plain = randomBytes(300_000);
  const stream = await encode(plain);
  const parts: Buffer[] = [];
  let busy = false;
  const decoder = new SnappyDecoder(async (part) => {
    assert.equal(busy, false);
    busy = true;
    await new Promise((resolve) => setImmediate(resolve));
    parts.push(Buffer.from(part));
    busy = false;
  });
  for (let at = 0; at < stream.length; at += 40_000) await decoder.update(stream.subarray(at, at + 40_000));
  decoder.finish();
  assert.deepEqual(Buffer.concat(parts), plain);
});

function isCorrupt(error: unknown): boolean {
  return isOperatorError(error, 'object-corrupt');
}
