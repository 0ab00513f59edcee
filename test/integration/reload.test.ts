import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { FileLock } from '../../src/lib/file-lock.ts';
import { siteName, TestDaemon } from '../support/daemon.ts';
import { makeTemporaryDirectory } from '../support/temporary-directory.ts';

test('while a site takes on another configuration its clients are told to ask again, never that there is no such site', async () => {
  await using scratch = await makeTemporaryDirectory();
  await using daemon = await TestDaemon.start({ directory: scratch.path });
  const answers = new Map<string, number>();
  const reloaded = new AbortController();
  const ask = async () => {
    while (!reloaded.signal.aborted) {
      const { status, headers } = await daemon.request('HEAD', `/${siteName}/archive/000000010000000000000001`);
      const answer = `${status} ${headers.get('x-pghoard-code')}`;
      answers.set(answer, (answers.get(answer) ?? 0) + 1);
    }
  };
  const asking = Promise.all([ask(), ask()]);
  for (let count = 1; count <= 15; count++) await daemon.reconfigure({ site: { basebackup_count: count } });
  reloaded.abort();
  await asking;

  assert.ok((answers.get('404 wal-missing') ?? 0) > 0);
  const unexpected = [...answers.keys()].filter((answer) => !['404 wal-missing', '503 shutting-down'].includes(answer));
  assert.deepEqual(unexpected, []);
  assert.doesNotMatch(daemon.log, /by a bug/);
});

test('what is deprecated is said once, though the configuration is read again', async () => {
  await using scratch = await makeTemporaryDirectory();
  await using daemon = await TestDaemon.start({ directory: scratch.path, global: { path_prefix: 'old' } });
  const timesSaid = (key: string) => daemon.log.split(`${key} is deprecated`).length - 1;
  await daemon.reconfigure({ site: { basebackup_count: 3 } });
  assert.equal(timesSaid('path_prefix'), 1);
  await daemon.reconfigure({ site: { basebackup_count: 3, stream_compression: true } });
  assert.deepEqual([timesSaid('path_prefix'), timesSaid('stream_compression')], [1, 1]);
});

test('a configuration that is sound but cannot be put to work is taken back, and the old one goes on', async () => {
  await using scratch = await makeTemporaryDirectory();
  await using daemon = await TestDaemon.start({ directory: scratch.path });
  await writeFile(join(scratch.path, 'spool', 'taken'), '');
  await assert.rejects(daemon.reconfigure({ site: { prefix: 'taken' } }), /cannot make the spool directory/);
  await assert.rejects(daemon.reconfigure({ global: { backup_location: join(daemon.configFile, 'spool') } }), /cannot use backup_location/);
  const { status, headers } = await daemon.request('HEAD', `/${siteName}/archive/000000010000000000000001`);
  assert.deepEqual([status, headers.get('x-pghoard-code')], [404, 'wal-missing']);
  assert.doesNotMatch(daemon.log, /cannot go back/);
});

test('backup_location belongs to one daemon, also after a move', async () => {
  await using scratch = await makeTemporaryDirectory();
  await using daemon = await TestDaemon.start({ directory: scratch.path });
  const [old, next] = ['spool', 'elsewhere'].map((name) => join(scratch.path, name)) as [string, string];
  const take = async (location: string) => {
    await using lock = await FileLock.take(join(location, 'pghoard.lock'));
    return lock !== undefined;
  };
  assert.equal(await take(old), false);
  await daemon.reconfigure({ global: { backup_location: next } });
  assert.deepEqual([await take(old), await take(next)], [true, false]);
  await daemon.reconfigure({ global: { backup_location: old } });
  assert.deepEqual([await take(old), await take(next)], [false, true]);
});
