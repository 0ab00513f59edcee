import assert from 'node:assert/strict';
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { runProgram } from '../../src/lib/subprocess.ts';
import { runOurs } from '../support/commands.ts';
import { type StartOnOptions, systemUser, TestPostgres } from '../support/postgres.ts';
import { makeTemporaryDirectory, type TemporaryDirectory } from '../support/temporary-directory.ts';
import { TestBackups } from '../support/test-backups.ts';
import { waitFor } from '../support/wait-for.ts';

/**
 * A cluster whose settings are full of another recovery, its base backup as pg_basebackup wrote it, and a plain directory as archive:
 * restores from it are done by our command and judged by PostgreSQL.
 */
interface Source {
  readonly scratch: TemporaryDirectory;
  readonly postgres: TestPostgres;
  readonly config: string;
  /** Answers restore_command from the archive. */
  readonly fetch: string;
  /** After the first 100 of 200 rows. */
  readonly point: { readonly time: string; readonly xid: string; readonly name: string };
}

let source: Source;
before(async () => {
  source = await makeSource();
});
after(async () => {
  await source.postgres[Symbol.asyncDispose]();
  await source.scratch[Symbol.asyncDispose]();
});

const leftovers = {
  recovery_target_lsn: '0/1',
  recovery_target_inclusive: 'off',
  recovery_target_action: 'shutdown',
  primary_conninfo: 'host=/nowhere',
  primary_slot_name: 'gone',
  recovery_min_apply_delay: '1h',
  archive_cleanup_command: 'false',
};

async function makeSource(): Promise<Source> {
  const scratch = await makeTemporaryDirectory();
  const archive = join(scratch.path, 'archive');
  await mkdir(archive, { mode: 0o777 });
  await chmod(archive, 0o777);
  const settings = { archive_mode: 'on', archive_command: `cp %p ${archive}/%f`, log_timezone: 'Asia/Tokyo', ...leftovers };
  const postgres = await TestPostgres.start({ settings });
  await postgres.query("ALTER SYSTEM SET work_mem = '7MB'");
  await postgres.query('CREATE TABLE ledger AS SELECT 0 AS id');
  const backups = await TestBackups.open(scratch.path);
  await storeBasebackup(postgres, backups, scratch.path);

  const [transaction] = await postgres.query(
    'INSERT INTO ledger SELECT generate_series(1, 99) RETURNING pg_current_xact_id()::text AS xid',
  );
  await postgres.query("SELECT pg_create_restore_point('half_way')");
  const [moment] = await postgres.query('SELECT now()::text AS time');
  await postgres.query('INSERT INTO ledger SELECT generate_series(100, 199)');
  await postgres.switchWal();
  await waitFor(() => nothingToArchive(postgres), { withinMs: 30_000, what: 'all WAL is archived' });

  const fetch = join(scratch.path, 'fetch.sh');
  await writeFile(
    fetch,
    `#!/bin/sh\nwhile [ $# -gt 0 ]; do case $1 in --output) o=$2 ;; --xlog) x=$2 ;; esac; shift; done\ncp "${archive}/$x" "$o"\n`,
  );
  await chmod(fetch, 0o755);
  const point = { time: String(moment?.['time']), xid: String(transaction?.['xid']), name: 'half_way' };
  return { scratch, postgres, config: await backups.writeConfig(), fetch, point };
}

async function nothingToArchive(postgres: TestPostgres): Promise<boolean> {
  const [row] = await postgres.query("SELECT count(*)::int AS waiting FROM pg_ls_archive_statusdir() WHERE name LIKE '%.ready'");
  return row?.['waiting'] === 0;
}

/** As `basebackup_mode: pipe`. */
async function storeBasebackup(postgres: TestPostgres, backups: TestBackups, directory: string): Promise<void> {
  const tar = join(directory, 'base.tar');
  const connection = ['-h', postgres.socketDirectory, '-p', String(postgres.port), '-U', 'postgres'];
  const script = `exec "$0" "$@" > ${tar}`;
  const arguments_ = [join(postgres.bin, 'pg_basebackup'), ...connection, '-D', '-', '-Ft', '-X', 'none', '-c', 'fast'];
  const { code, stderr } = await runProgram('sh', ['-c', script, ...arguments_]);
  assert.equal(code, 0, stderr);
  await backups.putTar(
    backups.keys.basebackup('2026-11-22_10-00_0'),
    await readFile(tar),
    {},
    {
      'start-time': '2020-01-01T00:00:00+00:00',
      'start-wal-segment': '000000010000000000000002',
      'pg-version': '150000',
    },
  );
}

async function restoreInto(target: string, flags: readonly string[]): Promise<string> {
  const where = ['--config', source.config, '--target-dir', target, '--pghoard-postgres-command-bin', source.fetch];
  const { code, stdout, stderr } = await runOurs('restore', ['get-basebackup', ...where, ...flags]);
  assert.equal(code, 0, stdout + stderr);
  return stdout;
}

const startOn = (target: string, options: StartOnOptions = {}) => TestPostgres.startOn(target, { archive_mode: 'off' }, options);

async function rowsOf(postgres: TestPostgres): Promise<unknown> {
  return (await postgres.query('SELECT count(*)::int AS rows FROM ledger'))[0]?.['rows'];
}

const targets: [what: string, flags: () => string[], rows: number][] = [
  ['a time', () => ['--recovery-target-time', source.point.time], 100],
  ['a transaction, it included', () => ['--recovery-target-xid', source.point.xid], 100],
  ['a restore point', () => ['--recovery-target-name', source.point.name], 100],
  ['the end of the archive', () => [], 200],
];
for (const [what, flags, rows] of targets) {
  test(`PostgreSQL recovers to ${what}, whatever recovery settings the source had`, async () => {
    await using scratch = await makeTemporaryDirectory();
    const target = join(scratch.path, 'data');
    await restoreInto(target, ['--restore-to-primary', ...flags()]);
    await using restored = await startOn(target);
    await restored.promoted();
    assert.equal(await rowsOf(restored), rows);
    assert.deepEqual(await restored.query('SHOW work_mem'), [{ work_mem: '7MB' }]);
  });
}

test('a standby catches up from the archive, then streams', async () => {
  await using scratch = await makeTemporaryDirectory();
  const target = join(scratch.path, 'data');
  const { postgres } = source;
  await restoreInto(target, ['--primary-conninfo', `host=${postgres.socketDirectory} port=${postgres.port} user=postgres`]);
  await using standby = await startOn(target);
  await waitFor(async () => (await rowsOf(standby)) === 200, { withinMs: 30_000, what: 'the archive is replayed' });
  await postgres.query('CREATE TABLE streamed AS SELECT 1 AS id');
  await waitFor(async () => (await standby.query('SELECT * FROM streamed')).length === 1, {
    withinMs: 30_000,
    what: 'the standby streams',
  });
  assert.deepEqual(await standby.query('SELECT pg_is_in_recovery() AS standby'), [{ standby: true }]);
});

test('what was restored is what was backed up: pg_verifybackup finds nothing', async () => {
  await using scratch = await makeTemporaryDirectory();
  const target = join(scratch.path, 'data');
  const printed = await restoreInto(target, ['--restore-to-primary', '--recovery-target-time', source.point.time]);
  assert.match(printed, /in the zone of the source \(Asia\/Tokyo\)/);
  const { code, stdout, stderr } = await runProgram(join(source.postgres.bin, 'pg_verifybackup'), ['--no-parse-wal', target], systemUser());
  assert.equal(code, 0, stdout + stderr);
});

test('without its control file a restored directory cannot be started', async () => {
  await using scratch = await makeTemporaryDirectory();
  const target = join(scratch.path, 'data');
  await restoreInto(target, ['--restore-to-primary']);
  await rm(join(target, 'global/pg_control'));
  await assert.rejects(startOn(target), /could not find the database system|pg_control/);
});
