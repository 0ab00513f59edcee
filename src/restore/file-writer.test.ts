import assert from 'node:assert/strict';
import { linkSync, readFileSync, rmSync, statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { makeTemporaryDirectory } from '../../test/support/temporary-directory.ts';
import { FileWriter } from './file-writer.ts';

const attributes = { mode: 0o600, mtime: 1_700_000_000, owner: undefined };

function writeKept(writer: FileWriter, path: string, pieces: readonly Uint8Array[]): void {
  writer.openKept(path);
  for (const piece of pieces) writer.write(piece);
  writer.close(attributes);
}

test('a kept file has the new content in the end, whatever it had before', async () => {
  await using scratch = await makeTemporaryDirectory();
  using writer = new FileWriter();
  const path = join(scratch.path, 'file');
  /** Runs of the same byte, of lengths around those that are compared at once, so that parts are the same. */
  const content = fc
    .array(fc.tuple(fc.constantFrom(1, 8192, 65_535, 65_536, 300_000), fc.constantFrom(0, 1)), { maxLength: 6 })
    .map((runs) => runs.map(([length, byte]) => Buffer.alloc(length, byte)));
  fc.assert(
    fc.property(content, content, (before, pieces) => {
      writeFileSync(path, Buffer.concat(before));
      const { ino } = statSync(path);
      writeKept(writer, path, pieces);
      assert.ok(readFileSync(path).equals(Buffer.concat(pieces)));
      assert.equal(statSync(path).ino, ino, 'it is the same file');
    }),
    { numRuns: 60 },
  );
});

test('what is the same is not written', async () => {
  await using scratch = await makeTemporaryDirectory();
  using writer = new FileWriter();
  const path = join(scratch.path, 'file');
  const content = Buffer.alloc(1_000_000, 'same');
  writeFileSync(path, content);
  const { blocks } = statSync(path);
  // A hole reads as zeros: it stays one.
  const sparse = join(scratch.path, 'sparse');
  writeFileSync(sparse, '');
  truncateSync(sparse, 1_000_000);
  writeKept(writer, sparse, [Buffer.alloc(1_000_000)]);
  assert.equal(statSync(sparse).blocks, 0);
  writeKept(writer, path, [content]);
  assert.equal(statSync(path).blocks, blocks);
});

test('a file that has another name too, a link and a file that is not there are replaced', async () => {
  await using scratch = await makeTemporaryDirectory();
  using writer = new FileWriter();
  const other = join(scratch.path, 'other');
  writeFileSync(other, 'precious');
  const path = join(scratch.path, 'file');
  linkSync(other, path);
  for (let turn = 0; turn < 2; turn++) {
    writeKept(writer, path, [Buffer.from('new')]);
    assert.equal(readFileSync(path, 'utf8'), 'new');
    rmSync(path);
  }
  symlinkSync(other, path);
  assert.throws(() => writer.openKept(path), { code: 'EEXIST' });
  assert.equal(writer.keep(path, attributes), false);
  assert.equal(readFileSync(other, 'utf8'), 'precious');
});

test('each file has the mode that is given, under any umask', async () => {
  await using scratch = await makeTemporaryDirectory();
  const before = process.umask(0o277);
  try {
    using writer = new FileWriter();
    for (const [at, mode] of [0o600, 0o640, 0o400, 0o600, 0o777].entries()) {
      const path = join(scratch.path, `file${at}`);
      writer.open(path);
      writer.close({ ...attributes, mode });
      assert.equal(statSync(path).mode & 0o7777, mode);
    }
  } finally {
    process.umask(before);
  }
});
