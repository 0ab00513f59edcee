import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { TestPostgres } from '../support/postgres.ts';
import { ReceivingSite } from '../support/receiving-site.ts';
import { waitFor } from '../support/wait-for.ts';

for (const mode of ['pg_receivexlog', 'walreceiver'] as const) {
  describe(`a primary and a standby, WAL received by ${mode}`, () => {
    let site: ReceivingSite;
    let standby: TestPostgres;
    const alertFile = (name: string) => join(site.daemon.directory, 'alerts', name);
    const alerted = (name: string, is: boolean) =>
      waitFor(() => existsSync(alertFile(name)) === is, {
        withinMs: 30_000,
        what: () => `${name} ${is ? 'stands' : 'is gone'}\n${site.daemon.log}`,
      });
    const addRows = (server: TestPostgres) =>
      server.query(
        'INSERT INTO ledger SELECT n, md5(n::text) FROM generate_series((SELECT max(id) + 1 FROM ledger), (SELECT max(id) + 100 FROM ledger)) AS n',
      );
    const rows = async (server: TestPostgres) => (await server.query('SELECT count(*)::int AS rows, max(id) AS last FROM ledger'))[0];
    const comesBack = async (name: string, expected: TestPostgres) => {
      await using restored = await site.restored(name);
      assert.deepEqual(await rows(restored), await rows(expected));
    };

    before(async () => {
      site = await ReceivingSite.start({ mode, site: { basebackup_mode: 'pipe' } });
      await site.logged(/receiving WAL from/);
      await site.postgres.query(`INSERT INTO ledger VALUES (1, 'first')`);
      await site.daemon.basebackup();
      standby = await site.standby('standby');
      await site.daemon.reconfigure({
        site: {
          nodes: [
            { connection_string: standby.dsn, slot: 'pghoard' },
            { connection_string: site.postgres.dsn, slot: 'pghoard' },
          ],
        },
      });
    });
    after(async () => {
      await standby?.[Symbol.asyncDispose]();
      await site?.[Symbol.asyncDispose]();
    });

    test('WAL comes from the primary, though the standby is named first; base backups come from the standby', async () => {
      await site.logged(new RegExp(`the server 127.0.0.1:${standby.port} is a standby of PostgreSQL`));
      await site.addSegment();
      await site.caughtUp(standby);
      const logged = site.daemon.log.length;
      await site.daemon.basebackup();
      assert.match(site.daemon.log.slice(logged), new RegExp(`taken from the standby 127.0.0.1:${standby.port}`));
      await addRows(site.postgres);
      await site.addSegment();
      await comesBack('from the standby', site.postgres);
      assert.equal(existsSync(alertFile('configuration_error')), false);
    });

    test('after a failover WAL and base backups come from the new primary', async () => {
      await site.caughtUp(standby);
      const logged = site.daemon.log.length;
      await site.postgres.stop('immediate');
      await standby.query('SELECT pg_promote()');
      await standby.promoted();
      await addRows(standby);
      await site.logged(/receiving WAL from \S+ on timeline [12]/, logged);
      await site.logged(new RegExp(`made the replication slot.*`), logged);
      const name = await standby.switchWal();
      await site.daemon.archived(name, 30_000);
      assert.match(name, /^00000002/);
      const begun = site.daemon.log.length;
      await site.daemon.basebackup();
      assert.match(site.daemon.log.slice(begun), new RegExp(`taken from the (primary|standby) 127.0.0.1:${standby.port}`));
    });

    test('an old primary that comes back is told, and not followed: what comes back is what the new one wrote', async () => {
      await site.postgres.launch();
      await alerted('two_primaries', true);
      const { because } = (await site.state()) ?? {};
      await site.daemon.archived(await standby.switchWal(), 30_000);
      assert.equal((await site.state())?.because, because);
      const logged = site.daemon.log.length;
      await site.daemon.basebackup();
      assert.match(site.daemon.log.slice(logged), new RegExp(`taken from the primary 127.0.0.1:${standby.port}`));
      await addRows(site.postgres);
      await addRows(standby);
      await addRows(standby);
      await site.daemon.archived(await standby.switchWal(), 30_000);
      await comesBack('after the failover', standby);
      await site.postgres.stop();
      await alerted('two_primaries', false);
      // The other one still answers.
      assert.equal(existsSync(alertFile('configuration_error')), false);
    });
  });
}
