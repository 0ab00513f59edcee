import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { runOurs } from '../support/commands.ts';
import { siteName, TestDaemon } from '../support/daemon.ts';
import { TestPostgres } from '../support/postgres.ts';
import { makeTemporaryDirectory } from '../support/temporary-directory.ts';

test('a database is restored to the second before a mistake', async () => {
  await using scratch = await makeTemporaryDirectory();
  await using postgres = await TestPostgres.start({ settings: { archive_mode: 'on', archive_command: '/bin/false' } });
  await using daemon = await TestDaemon.start({ directory: join(scratch.path, 'pghoard'), postgres, encrypted: true });
  await postgres.query(`ALTER SYSTEM SET archive_command = '${daemon.archiveCommand}'`);
  await postgres.query('SELECT pg_reload_conf()');
  await daemon.basebackups(1);

  await postgres.query('CREATE TABLE ledger AS SELECT generate_series(1, 1000) AS id');
  const [moment] = await postgres.query('SELECT now() AS before');
  await postgres.query('DROP TABLE ledger');
  await daemon.archived(await postgres.switchWal());

  const target = join(scratch.path, 'restored');
  const before = (moment?.['before'] as Date).toISOString();
  const result = await runOurs('restore', [
    ...['get-basebackup', '--config', daemon.configFile, '--site', siteName, '--target-dir', target, '--restore-to-primary'],
    ...['--recovery-target-time', before, '--recovery-target-action', 'promote'],
  ]);
  assert.equal(result.code, 0, result.stdout + result.stderr);

  await using restored = await TestPostgres.startOn(target, { archive_mode: 'off' });
  await restored.promoted();
  assert.deepEqual(await restored.query('SELECT count(*)::int AS rows FROM ledger'), [{ rows: 1000 }]);
});
