import assert from 'node:assert/strict';
import { readFile, rename, rm, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { runOurs } from '../support/commands.ts';
import { siteName, type TestDaemon } from '../support/daemon.ts';
import type { TestPostgres } from '../support/postgres.ts';
import { clientProgram } from '../support/postgres-programs.ts';
import { tableChecksums } from '../support/table-checksums.ts';
import { TestSite } from '../support/test-site.ts';
import { waitFor } from '../support/wait-for.ts';

for (const version of ['15', 'embedded'] as const) {
  test(`a host is lost: the cluster comes back on another one, is backed up there and restored again (PostgreSQL ${version})`, async () => {
    await using site = await TestSite.start({ version, encrypted: true, site: { lease_seconds: 10 } });
    await site.postgres.query(`ALTER SYSTEM SET work_mem = '7MB'`);
    await site.postgres.query(`ALTER SYSTEM SET recovery_target_action = 'shutdown'`);
    await site.postgres.query('CREATE TABLE ledger (note text)');
    const first = await site.basebackup();
    await site.postgres.query(`INSERT INTO ledger VALUES ('before the loss')`);
    await site.archiveAll();
    const checksums = await tableChecksums(site.postgres);
    await using daemon = await site.elsewhere('other host');
    await loseHost(site);

    await assertListed(daemon, first);
    const target = site.place('new home');
    await daemon.restore(target, ['--restore-to-primary']);
    assert.match(await readFile(join(target, 'postgresql.auto.conf'), 'utf8'), /^work_mem = '7MB'$/m);
    await moveWalAway(target, site.place('pg_wal on another disk'));
    const archiving = { archive_mode: 'on', archive_command: daemon.archiveCommand };
    await using heir = await site.startOn(target, { settings: archiving });
    await heir.promoted();
    assert.deepEqual(await heir.query('SHOW work_mem'), [{ work_mem: '7MB' }]);
    assert.deepEqual(await tableChecksums(heir), checksums);

    await takeOver(daemon, heir, site);
    await daemon.basebackup();
    await heir.query(`INSERT INTO ledger VALUES ('after the loss')`);
    const segment = await heir.switchWal();
    assert.match(segment, /^00000002/);
    await daemon.archived(segment);
    const expected = await tableChecksums(heir);
    for (const name of ['latest', first]) {
      await using again = await site.recovered(`again from ${name}`, ['--basebackup', name], { daemon });
      assert.deepEqual(await tableChecksums(again), expected, `restored from ${name}`);
    }
  });
}

async function loseHost({ postgres, daemon }: TestSite): Promise<void> {
  await daemon.kill9();
  await postgres.kill9();
  for (const path of [postgres.dataDirectory, daemon.spoolDirectory, daemon.configFile]) await rm(path, { recursive: true });
}

async function assertListed(daemon: TestDaemon, name: string): Promise<void> {
  const { code, stdout } = await runOurs('restore', ['list-basebackups', '--config', daemon.configFile, '--site', siteName]);
  assert.equal(code, 0);
  assert.match(stdout, new RegExp(name));
  const overHttp = ['list-basebackups-http', '--port', String(daemon.port), '--site', siteName];
  assert.match((await runOurs('restore', overHttp)).stdout, new RegExp(name));
  assert.equal((await daemon.request('PUT', `/${siteName}/basebackup`)).ok, false, 'a site that is not active takes no base backups');
}

/** As with initdb --waldir. */
async function moveWalAway(dataDirectory: string, place: string): Promise<void> {
  await rename(join(dataDirectory, 'pg_wal'), place);
  await symlink(place, join(dataDirectory, 'pg_wal'));
}

/** From now on the site is the restored server. */
async function takeOver(daemon: TestDaemon, heir: TestPostgres, { version }: TestSite): Promise<void> {
  await daemon.reconfigure({
    site: {
      active: true,
      nodes: [heir.dsn],
      pg_data_directory: heir.dataDirectory,
      pg_bin_directory: dirname(await clientProgram('pg_basebackup', version)),
      basebackup_interval_hours: null,
    },
  });
  // What the lost daemon held has to run out first.
  await waitFor(() => daemon.log.includes('this daemon works on the site'), {
    withinMs: 60_000,
    what: () => `the daemon takes the site over:\n${daemon.log}`,
  });
}
