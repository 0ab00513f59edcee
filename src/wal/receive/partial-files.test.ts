import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeTemporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { lastReceived, mendPartials, plantStart } from './partial-files.ts';

const segmentBytes = 1 << 20;
const name = (number: number, timeline = 1) => `0000000${timeline}00000000000000${number.toString(16).toUpperCase().padStart(2, '0')}`;

test('only partial segments of an odd size are emptied, and what was in them is kept', async () => {
  await using scratch = await makeTemporaryDirectory();
  const put = (file: string, bytes: number) => writeFile(join(scratch.path, file), Buffer.alloc(bytes, 'x'));
  await put(`${name(1)}.partial`, segmentBytes);
  await put(`${name(2)}.partial`, 0);
  await put(`${name(3)}.partial`, 4096);
  await put(name(4), 4096);
  await writeFile(join(scratch.path, `${name(5)}.partial`), Buffer.alloc(4096));
  assert.deepEqual(await mendPartials(scratch.path, segmentBytes), [`${name(3)}.partial`, `${name(5)}.partial`]);
  assert.equal(existsSync(join(scratch.path, `${name(5)}.partial_incomplete`)), false, 'it has no WAL, and the disk may be full');
  const sizes = [1, 2, 3, 5].map(async (number) => (await stat(join(scratch.path, `${name(number)}.partial`))).size);
  assert.deepEqual(await Promise.all(sizes), [segmentBytes, 0, 0, 0]);
  assert.equal((await readFile(join(scratch.path, `${name(3)}.partial_incomplete`))).length, 4096);
  assert.deepEqual(await mendPartials(scratch.path, segmentBytes), []);
});

test('the place where receiving goes on is the file that is furthest, a whole one before a partial one', async () => {
  await using scratch = await makeTemporaryDirectory();
  const put = (file: string) => writeFile(join(scratch.path, file), '');
  assert.equal(await lastReceived(scratch.path), undefined);
  await put('00000009.history');
  await put(`${name(9)}.partial_incomplete`);
  assert.equal(await lastReceived(scratch.path), undefined);
  await put(name(5, 2));
  await put(`${name(6)}.partial`);
  assert.deepEqual(await lastReceived(scratch.path), { name: name(6), isPartial: true });
  await put(name(6));
  assert.deepEqual(await lastReceived(scratch.path), { name: name(6), isPartial: false });
  await plantStart(scratch.path, name(8, 2));
  assert.deepEqual(await lastReceived(scratch.path), { name: name(8, 2), isPartial: true });
});

test('planting a start leaves what is there already', async () => {
  await using scratch = await makeTemporaryDirectory();
  await writeFile(join(scratch.path, `${name(1)}.partial`), 'received');
  await plantStart(scratch.path, name(1));
  assert.equal(await readFile(join(scratch.path, `${name(1)}.partial`), 'utf8'), 'received');
});
