import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { writeFileAtomic, writeFileAtomicWith } from './atomic-file.ts';

test('a file is replaced whole, with the mode asked for', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'atomic-'));
  t.after(() => rm(directory, { recursive: true }));
  const path = join(directory, 'state');
  await writeFileAtomic(path, 'one');
  await writeFileAtomic(path, 'two', { mode: 0o644 });
  assert.equal(await readFile(path, 'utf8'), 'two');
  assert.equal((await stat(path)).mode & 0o777, 0o644);
  assert.deepEqual(await readdir(directory), ['state']);
});

test('a failure half-way leaves the old content and no debris', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'atomic-'));
  t.after(() => rm(directory, { recursive: true }));
  const path = join(directory, 'state');
  await writeFileAtomic(path, 'old');
  const failing = writeFileAtomicWith(path, {}, async (file) => {
    await file.write('half');
    throw new Error('power cut');
  });
  await assert.rejects(failing, /power cut/);
  assert.equal(await readFile(path, 'utf8'), 'old');
  assert.deepEqual(await readdir(directory), ['state']);
});
