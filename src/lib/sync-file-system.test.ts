import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { syncFileSystem } from './sync-file-system.ts';

test('a file system is made durable by any path on it', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'sync-'));
  t.after(() => rm(directory, { recursive: true }));
  await writeFile(join(directory, 'file'), 'content');
  assert.equal(await syncFileSystem(directory), true);
});

test('a path that is not there is an error, not a success', async () => {
  await assert.rejects(syncFileSystem('/nonexistent/directory'), { code: 'file-unwritable' });
});

test('without the program it says so, so that files can be synced one by one', async (t) => {
  const path = process.env['PATH'];
  t.after(() => void (process.env['PATH'] = path));
  process.env['PATH'] = '/nonexistent';
  assert.equal(await syncFileSystem('/tmp'), false);
});
