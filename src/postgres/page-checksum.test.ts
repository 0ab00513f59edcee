import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pageBytes, pageChecksum, pageHeader } from './page-checksum.ts';

/** A page that says it is of LSN 1/2 with checksum 0xABCD. */
function somePage(): Buffer {
  const page = Buffer.alloc(pageBytes, 'What a page holds is of no matter here. ');
  page.writeUInt32LE(1, 0);
  page.writeUInt32LE(2, 4);
  page.writeUInt16LE(0xabcd, 8);
  page.writeUInt16LE(pageBytes - 100, 14);
  return page;
}

const wordsOf = (page: Buffer) => new Int32Array(page.buffer, page.byteOffset, pageBytes / 4);

test('what the header of a page says', () => {
  const page = somePage();
  assert.deepEqual(pageHeader(page, 0), { lsn: 0x100000002n, checksum: 0xabcd, isNew: false });
  page.writeUInt16LE(0, 14);
  assert.equal(pageHeader(page, 0).isNew, true);
});

test('a checksum is of the content and the block, not of itself, and leaves the page as it was', () => {
  const page = somePage();
  const before = Buffer.from(page);
  const checksum = pageChecksum(wordsOf(page), 0, 7);
  assert.deepEqual(page, before);
  assert.ok(checksum >= 1 && checksum <= 65_535);
  page.writeUInt16LE(checksum, 8);
  assert.equal(pageChecksum(wordsOf(page), 0, 7), checksum);
  assert.notEqual(pageChecksum(wordsOf(page), 0, 8), checksum);
  for (const at of [0, 10, 127, 4096, pageBytes - 1]) {
    const damaged = Buffer.concat([page]);
    damaged.writeUInt8(damaged.readUInt8(at) ^ 1, at);
    assert.notEqual(pageChecksum(wordsOf(damaged), 0, 7), checksum, `byte ${at}`);
  }
});
