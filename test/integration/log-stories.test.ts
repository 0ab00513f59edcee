import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { TestDaemon } from '../support/daemon.ts';
import { TestPostgres } from '../support/postgres.ts';
import { makeTemporaryDirectory } from '../support/temporary-directory.ts';
import { waitFor } from '../support/wait-for.ts';

/** Without what differs from run to run. */
function masked(text: string, scratch: string): string[] {
  return text
    .trim()
    .replaceAll(scratch, 'SCRATCH')
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
    .replaceAll(/\d{4}-\d\d-\d\d_\d\d-\d\d_\d+/g, 'BASEBACKUP')
    .replaceAll(/\b[0-9A-F]{24}\b/g, 'WAL')
    .replaceAll(/127\.0\.0\.1:\d+/g, 'SERVER')
    .replaceAll(/\b\d+(\.\d+)?( [KM]iB)?\b/g, (_number, _fraction, unit: string | undefined) => (unit === undefined ? '#' : '# MiB'))
    .split('\n')
    .map((line) => line.replace(/^.*\r/, '').trimEnd());
}

test('a base backup, a recovery and a restore are read as stories of a few lines', async () => {
  await using scratch = await makeTemporaryDirectory();
  await using postgres = await TestPostgres.start({ settings: { archive_mode: 'on', archive_command: '/bin/false' } });
  await using daemon = await TestDaemon.start({
    directory: join(scratch.path, 'pghoard'),
    postgres,
    site: { basebackup_interval_hours: null },
    global: { log_level: 'INFO' },
  });
  await postgres.query(`ALTER SYSTEM SET archive_command = '${daemon.archiveCommand}'`);
  await postgres.query('SELECT pg_reload_conf()');
  const logged = (words: RegExp) => waitFor(() => words.test(daemon.log), { withinMs: 30_000, what: () => `${words} in\n${daemon.log}` });
  await logged(/is a primary of PostgreSQL/);
  await logged(/works on the site/);
  const story = async (happens: () => Promise<unknown>) => {
    const before = daemon.log.length;
    await happens();
    return masked(daemon.log.slice(before), scratch.path);
  };

  const deleted = /^TIME INFO {4}deleted WAL that no base backup needs .*/;
  const backup = await story(async () => {
    await daemon.basebackup();
    await logged(/base backup is complete/);
  });
  assert.deepEqual(
    backup.filter((line) => !deleted.test(line)),
    [
      'TIME INFO    a base backup is requested site=main',
      'TIME INFO    base backup begins site=main basebackup=BASEBACKUP mode=local-tar reason=requested',
      'TIME INFO    PostgreSQL is in backup mode, its files are copied site=main basebackup=BASEBACKUP server=postgres@SERVER/postgres pg_version=# bytes_total=#',
      'TIME INFO    base backup is complete: # MiB of data, # MiB stored, in # s, # MiB/s site=main basebackup=BASEBACKUP bytes=# stored_bytes=# seconds=# first_wal=WAL last_wal=WAL restorable_from=TIME',
    ],
  );

  for (let n = 0; n < 3; n++) await daemon.archived(await postgres.switchWal());
  const target = join(scratch.path, 'restored');
  const restore = masked(await daemon.restore(target, ['--restore-to-primary', '--recovery-target-action', 'promote']), scratch.path);
  assert.deepEqual(restore.slice(restore.findIndex((line) => line.startsWith('Selecting'))), [
    "Selecting 'main/basebackup/BASEBACKUP.#.pghoard' for restore",
    'It is the newest one.',
    'Making everything durable',
    'Download progress: #% (# / # MiB), # MiB/s',
    'Basebackup restoration complete.',
    '# files are in SCRATCH/restored.',
    restore.find((line) => line.startsWith("Note: The source's archive_command came along")),
    '',
    'Recovery begins when PostgreSQL is started and needs the WAL that pghoard serves: keep the daemon running. To start it:',
    '  pg_ctl -D SCRATCH/restored start',
    '  systemctl start postgresql          (where that unit runs this directory)',
    '  pg_ctlcluster VERSION CLUSTER start (Debian, where the cluster is registered with this directory)',
  ]);

  const recovery = await story(async () => {
    await using restored = await TestPostgres.startOn(target, { archive_mode: 'off' });
    await restored.promoted();
    await daemon.stop();
  });
  assert.deepEqual(recovery, [
    'TIME INFO    a recovery gets WAL site=main first_wal=WAL',
    'TIME INFO    stopping: no new work, uploads that are under way are finished',
    'TIME INFO    stored WAL of # s: # files, # MiB/s at most within a minute site=main wal_files=# first_wal=WAL last_wal=WAL',
    'TIME INFO    a recovery got # WAL files within # s, and asks for no more site=main wal_files=# first_wal=WAL last_wal=WAL',
    'TIME INFO    stopped',
  ]);
});
