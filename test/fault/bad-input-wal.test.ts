import assert from 'node:assert/strict';
import { chown, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { siteName, TestDaemon } from '../support/daemon.ts';
import { systemUser, TestPostgres } from '../support/postgres.ts';
import { assertNoStackTrace } from '../support/refusal.ts';
import { makeTemporaryDirectory } from '../support/temporary-directory.ts';
import { waitFor } from '../support/wait-for.ts';
import { makeWalSegment, mebibyte } from '../support/wal-segment.ts';

test('WAL that is not what it should be: PostgreSQL is told why, keeps it, and goes on once it is mended', async () => {
  await using scratch = await makeTemporaryDirectory();
  await using postgres = await TestPostgres.start({
    initdb: ['--wal-segsize=1'],
    settings: { archive_mode: 'on', archive_command: '/bin/false', max_wal_size: '8MB', min_wal_size: '2MB', wal_keep_size: '64MB' },
  });
  await using daemon = await TestDaemon.start({
    directory: join(scratch.path, 'pghoard'),
    postgres,
    site: { basebackup_interval_hours: null },
  });
  await postgres.query(`ALTER SYSTEM SET archive_command = '${daemon.archiveCommand}'`);
  await postgres.query('SELECT pg_reload_conf()');
  const first = await postgres.switchWal();
  await daemon.archived(first);

  const walDirectory = join(postgres.dataDirectory, 'pg_wal');
  const { uid, gid } = systemUser();
  const readyFile = (name: string) => join(walDirectory, 'archive_status', `${name}.ready`);
  const put = async (name: string, bytes: Uint8Array | undefined) => {
    for (const [path, content] of [
      [join(walDirectory, name), bytes],
      [readyFile(name), Buffer.alloc(0)],
    ] as const) {
      if (content === undefined) continue;
      await writeFile(path, content);
      await chown(path, uid, gid);
    }
  };
  const stored = join(daemon.storeDirectory, siteName, 'xlog');
  const real = await readFile(join(walDirectory, first));
  const zero = '000000010000000000000000';
  const cases: readonly [what: string, name: string, bytes: Buffer, says: RegExp][] = [
    ['of another cluster', zero, makeWalSegment(zero), /cluster-mismatch: .*its system identifier is/],
    ['recycled: the content of another name', zero, real, /wal-invalid/],
    ['cut off', zero, real.subarray(0, mebibyte / 2), /wal-invalid/],
    ['other content under a stored name', first, Buffer.concat([real.subarray(0, -8), Buffer.from('tampered')]), /wal-conflict.*\n?.*/],
    ['an invalid history', '00000002.history', Buffer.from('no history\n'), /wal-invalid/],
  ];
  const storedBefore = await readFile(join(stored, first));
  for (const [what, name, bytes, says] of cases) {
    const logBefore = postgres.log().length;
    await put(name, bytes);
    const waiting = await postgres.switchWal();
    const said = () => postgres.log().slice(logBefore);
    await waitFor(() => said().includes(`archiving ${name} failed`) && says.test(said()), {
      withinMs: 30_000,
      what: () => `PostgreSQL's log says what is wrong with a segment ${what}:\n${said()}\n${daemon.log.slice(-2000)}`,
    });
    assertNoStackTrace(said());
    assert.ok((await stat(readyFile(name))).isFile(), 'PostgreSQL keeps it');
    if (name === first) await put(first, real);
    else for (const path of [join(walDirectory, name), readyFile(name)]) await rm(path);
    await postgres.switchWal();
    await daemon.archived(waiting);
    assert.deepEqual(await readFile(join(stored, first)), storedBefore, `${what}: what is stored stays`);
    if (name !== first) await assert.rejects(stat(join(stored, name)), { code: 'ENOENT' });
  }

  assertNoStackTrace(daemon.log);
});
