import assert from 'node:assert/strict';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeSmallDisk } from '../../../test/support/small-disk.ts';
import { makeTemporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { freeBytesOf } from './disk-guard.ts';
import { SegmentWriter } from './segment-writer.ts';

const mebibyte = 2 ** 20;
const [first, second, third] = ['000000010000000000000FFE', '000000010000000000000FFF', '000000010000000100000000'] as const;

/** A writer of segments of 1 MiB that begins with {@link first}. */
function writerIn(directory: string, segmentBytes = mebibyte): SegmentWriter {
  return new SegmentWriter({ directory, timeline: 1, segmentBytes, startLsn: BigInt(0xffe) * BigInt(mebibyte) });
}

function bytesOf(length: number): Buffer {
  return Buffer.from(Array.from({ length }, (_, at) => (at * 7 + (at >> 8)) % 251));
}

test('WAL in pieces of any length lands in segments, byte for byte, across the carry of a name', async () => {
  const content = bytesOf(2 * mebibyte + 1000);
  for (const piece of [8192, 131_071, content.length]) {
    await using scratch = await makeTemporaryDirectory();
    await using writer = writerIn(scratch.path);
    for (let at = 0; at < content.length; at += piece) await writer.append(content.subarray(at, at + piece));
    await writer.flush();
    assert.deepEqual((await readdir(scratch.path)).toSorted(), [first, second, `${third}.partial`]);
    const written = await Promise.all([first, second, `${third}.partial`].map((name) => readFile(join(scratch.path, name))));
    assert.deepEqual(
      written.map(({ length }) => length),
      [mebibyte, mebibyte, mebibyte],
    );
    assert.ok(Buffer.concat(written).subarray(0, content.length).equals(content), `in pieces of ${piece}`);
    assert.ok(written[2]?.subarray(1000).every((byte) => byte === 0));
  }
});

test('what is whole is flushed; the rest is written and flushed once it is asked for', async () => {
  await using scratch = await makeTemporaryDirectory();
  await using writer = writerIn(scratch.path);
  const start = writer.written;
  assert.equal(writer.segment, first);
  const [changing, content] = [bytesOf(100), bytesOf(100)];
  await writer.append(changing);
  changing.fill(0);
  assert.deepEqual([writer.written - start, writer.flushed - start, writer.segment], [0n, 0n, first]);
  await writer.flush();
  assert.deepEqual([writer.written - start, writer.flushed - start], [100n, 100n]);
  assert.ok((await readFile(join(scratch.path, `${first}.partial`))).subarray(0, 100).equals(content));
  await writer.append(bytesOf(mebibyte));
  assert.deepEqual([writer.written - start, writer.flushed - start, writer.segment], [BigInt(mebibyte + 100), BigInt(mebibyte), second]);
});

test('what was appended last is in the file at the end, also without a flush', async () => {
  await using scratch = await makeTemporaryDirectory();
  {
    await using writer = writerIn(scratch.path);
    await writer.append(bytesOf(3000));
  }
  assert.ok((await readFile(join(scratch.path, `${first}.partial`))).subarray(0, 3000).equals(bytesOf(3000)));
});

test('the largest segments', async () => {
  await using scratch = await makeTemporaryDirectory();
  const segmentBytes = 2 ** 30;
  await using writer = new SegmentWriter({ directory: scratch.path, timeline: 1, segmentBytes, startLsn: 0n });
  await writer.append(bytesOf(10));
  await writer.flush();
  const file = await stat(join(scratch.path, '000000010000000000000000.partial'));
  assert.equal(file.size, segmentBytes);
  assert.ok(file.blocks * 512 < mebibyte, 'takes no more room than has been written');
});

for (const [what, length] of [
  ['whole', mebibyte],
  ['cut short', 5000],
  ['empty', 0],
] as const) {
  test(`a partial segment of an earlier life that is ${what} is gone on with, and keeps what it had`, async () => {
    await using scratch = await makeTemporaryDirectory();
    const path = join(scratch.path, `${first}.partial`);
    const before = bytesOf(mebibyte).fill(0, length);
    await writeFile(path, before.subarray(0, length));
    await using writer = writerIn(scratch.path);
    await writer.append(bytesOf(3000));
    await writer.flush();
    assert.ok((await readFile(path)).equals(Buffer.concat([bytesOf(3000), before.subarray(3000)])));
  });
}

if (process.getuid?.() === 0) test('the last room on a disk is left for archiving what was received', leavesRoom);

async function leavesRoom(): Promise<void> {
  await using scratch = await makeTemporaryDirectory();
  await using _disk = await makeSmallDisk(scratch.path, 6 * mebibyte);
  await using writer = writerIn(scratch.path);
  const fill = async () => {
    for (;;) await writer.append(bytesOf(mebibyte / 2));
  };
  await assert.rejects(fill(), { code: 'disk-full', message: /only \d+ bytes are free/ });
  assert.ok((await freeBytesOf(scratch.path)) >= 2 * mebibyte);
  assert.equal(writer.flushed, writer.written);
}

test('a directory that is gone is named', async () => {
  await using writer = writerIn('/nowhere');
  await writer.append(bytesOf(10));
  await assert.rejects(writer.flush(), { code: 'file-unwritable', message: /\/nowhere/ });
});
