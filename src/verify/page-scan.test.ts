import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { pageBytes, pageChecksum } from '../postgres/page-checksum.ts';
import { PageScan } from './page-scan.ts';

const startLsn = 0x3000000n;

/** Pages with right checksums, last written at `lsn`. */
function pages(count: number, firstBlock = 0, lsn = 0x2000000n): Buffer {
  const bytes = Buffer.alloc(count * pageBytes, 'content of a page ');
  for (let page = 0; page < count; page++) {
    const at = page * pageBytes;
    bytes.writeUInt32LE(Number(lsn >> 32n), at);
    bytes.writeUInt32LE(Number(lsn & 0xffff_ffffn), at + 4);
    bytes.writeUInt16LE(200, at + 14);
    const words = new Int32Array(bytes.buffer, bytes.byteOffset + at, pageBytes / 4);
    bytes.writeUInt16LE(pageChecksum(words, 0, firstBlock + page), at + 8);
  }
  return bytes;
}

function flipped(bytes: Buffer, page: number): Buffer {
  const at = page * pageBytes + 5000;
  bytes[at] = (bytes[at] as number) ^ 1;
  return bytes;
}

function scan(path: string, bytes: Buffer, pieceBytes = 1 << 20, shift = 0): readonly string[] {
  const scanner = new PageScan(startLsn);
  scanner.beginFile(path);
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    // At any address.
    const piece = bytes.subarray(at, at + pieceBytes);
    const moved = Buffer.alloc(piece.length + shift);
    piece.copy(moved, shift);
    scanner.update(moved.subarray(shift));
  }
  return scanner.damaged;
}

test('a damaged page is named, in pieces of any length at any address', () => {
  const bytes = flipped(flipped(pages(6), 1), 4);
  const expected = ['pgdata/base/1/16384, block 1', 'pgdata/base/1/16384, block 4'];
  fc.assert(
    fc.property(fc.integer({ min: 100, max: 30_000 }), fc.nat({ max: 7 }), (pieceBytes, shift) => {
      assert.deepEqual(scan('pgdata/base/1/16384', bytes, pieceBytes, shift), expected);
    }),
    { numRuns: 30 },
  );
});

test('blocks are counted over the files of a relation', () => {
  assert.deepEqual(scan('tablespaces/x/PG_15_1/5/16384.2', pages(2, 262_144)), []);
  assert.deepEqual(scan('base/5/16384.2', flipped(pages(2, 262_144), 1)), ['base/5/16384.2, block 262145']);
});

test('what was written while the backup was taken, what is new, and what holds no pages is left to the WAL', () => {
  assert.deepEqual(scan('base/1/16384', flipped(pages(2, 0, startLsn), 1)), []);
  assert.deepEqual(scan('base/1/16384', Buffer.alloc(2 * pageBytes)), []);
  assert.deepEqual(scan('base/1/PG_VERSION', flipped(pages(2), 1)), []);
  assert.deepEqual(scan('base/1/16384', flipped(pages(2), 1).subarray(0, pageBytes + 6000)), []);
});

test('a file that is damaged all over is told of briefly', () => {
  const all = Array.from({ length: 20 }, (_, page) => page).reduce((bytes, page) => flipped(bytes, page), pages(20));
  assert.equal(scan('base/1/16384', all).length, 5);
});
