import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../../../test/support/seeded-random.ts';
import { isOperatorError } from '../../lib/errors.ts';
import { FrameBuffer, frameBytesMax } from './framing.ts';

interface Said {
  readonly type: string;
  readonly body: Buffer;
}

const isProtocolError = (error: unknown) => isOperatorError(error, 'postgres-protocol');

function frame({ type, body }: Said): Buffer {
  const header = Buffer.from(`${type}....`);
  header.writeUInt32BE(4 + body.length, 1);
  return Buffer.concat([header, body]);
}

/** Cuts `pieces` into frames, each taken as soon as it is whole. What is told to be used up is gone at once. */
function cut(pieces: readonly Buffer[]): Said[] {
  let usedUp = 0;
  const frames = new FrameBuffer({
    onUsedUp: (chunk) => {
      usedUp++;
      chunk.fill(0xee);
    },
  });
  const said: Said[] = [];
  for (const piece of pieces) {
    frames.push(Buffer.from(piece));
    for (let taken = frames.take(); taken !== undefined; taken = frames.take()) {
      said.push({ type: String.fromCharCode(taken.type), body: Buffer.from(taken.body) });
    }
  }
  assert.equal(frames.waiting, 0, 'what is not whole is kept apart');
  const kept = pieces.filter(({ length }) => length > 0).length - usedUp;
  assert.ok(kept === 0 || kept === 1, `each piece is told once, the last one perhaps later: ${kept}`);
  return said;
}

const conversation: readonly Said[] = [
  { type: 'W', body: Buffer.from([0, 0, 0]) },
  { type: 'c', body: Buffer.alloc(0) },
  { type: 'd', body: Buffer.from('w 0123456789 0123456789 some WAL') },
  { type: 'd', body: Buffer.from('k') },
];
const bytes = Buffer.concat(conversation.map(frame));

test('frames come out the same wherever the bytes are split in two, or in three', () => {
  for (let first = 0; first <= bytes.length; first++) {
    for (let second = first; second <= bytes.length; second++) {
      const pieces = [bytes.subarray(0, first), bytes.subarray(first, second), bytes.subarray(second)];
      assert.deepEqual(cut(pieces), conversation, `split at ${first} and ${second}`);
    }
  }
});

test('frames come out the same one byte at a time', () => {
  assert.deepEqual(cut(Array.from(bytes, (byte) => Buffer.from([byte]))), conversation);
});

test('frames of any size in pieces of any size', () => {
  const random = new SeededRandom();
  for (let round = 0; round < 30; round++) {
    const said = Array.from({ length: 20 }, () => {
      const body = Buffer.alloc(Math.floor(300_000 * random.next() ** 6), random.between(0, 255));
      return { type: 'dkcZ'.charAt(random.between(0, 3)), body };
    });
    let rest = Buffer.concat(said.map(frame));
    const pieces: Buffer[] = [];
    while (rest.length > 0) {
      const piece = rest.subarray(0, 1 + Math.floor(65_536 * random.next() ** 4));
      pieces.push(piece);
      rest = rest.subarray(piece.length);
    }
    assert.deepEqual(cut(pieces), said, `seed ${random.seed}, round ${round}`);
  }
});

test('several pieces may wait before a frame is taken, and a frame in one piece is not copied', () => {
  const frames = new FrameBuffer();
  frames.push(bytes.subarray(0, 10));
  frames.push(bytes.subarray(10));
  assert.equal(frames.waiting, 2);
  const taken = conversation.map(() => frames.take());
  assert.deepEqual(
    taken.map((one) => one && String.fromCharCode(one.type)),
    ['W', 'c', 'd', 'd'],
  );
  assert.equal(taken[0]?.body.buffer, bytes.buffer);
  assert.equal(frames.take(), undefined);
});

for (const [what, header, text] of [
  ['the length does not count itself', 'd\0\0\0\x03', /"d".*length as 3/],
  ['the length is zero', 'Z\0\0\0\0', /"Z".*length as 0/],
  ['the length is negative', 'E\xff\xff\xff\xff', /"E".*4294967295/],
  ['the message is larger than any may be', `\x07${lengthOf(frameBytesMax)}`, /0x07.*claims/],
] as const) {
  test(`refused: ${what}`, () => {
    const said = Buffer.from(header, 'latin1');
    for (let first = 0; first < said.length; first++) {
      assert.throws(() => cut([said.subarray(0, first), said.subarray(first)]), isProtocolError);
      assert.throws(() => cut([said.subarray(0, first), said.subarray(first)]), text);
    }
  });
}

test('the largest message passes', () => {
  const body = Buffer.alloc(frameBytesMax - 5, 'x');
  assert.deepEqual(cut([frame({ type: 'd', body })]), [{ type: 'd', body }]);
});

test('bytes that are no messages never do more than be refused', () => {
  const random = new SeededRandom();
  for (let round = 0; round < 2000; round++) {
    const noise = Buffer.from(Array.from({ length: random.between(1, 60) }, () => random.between(0, random.between(0, 1) * 254 + 1)));
    try {
      for (const { body } of cut([noise.subarray(0, 7), noise.subarray(7)])) assert(body.length < noise.length);
    } catch (error) {
      assert(isProtocolError(error), `seed ${random.seed}: ${noise.toString('hex')}: ${String(error)}`);
    }
  }
});

function lengthOf(length: number): string {
  const field = Buffer.alloc(4);
  field.writeUInt32BE(length);
  return field.toString('latin1');
}
