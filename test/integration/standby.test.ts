import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { TestPostgres } from '../support/postgres.ts';
import { TestSite } from '../support/test-site.ts';
import { waitFor } from '../support/wait-for.ts';

const rows = async (postgres: TestPostgres) => (await postgres.query('SELECT count(*)::int AS rows FROM ledger'))[0]?.['rows'] as number;
const isInRecovery = async (postgres: TestPostgres) => (await postgres.query('SELECT pg_is_in_recovery() AS is'))[0]?.['is'];

for (const version of ['15', 'embedded'] as const) {
  describe(`PostgreSQL ${version}, a standby from the store`, () => {
    let site: TestSite;

    before(async () => {
      // One segment is kept: what a standby needs to catch up is in the store only.
      site = await TestSite.start({
        version,
        encrypted: true,
        initdb: ['--wal-segsize=1'],
        settings: { min_wal_size: '2MB', max_wal_size: '2MB' },
      });
      await site.postgres.query('CREATE TABLE ledger (note text)');
      await site.basebackup();
      for (let segment = 0; segment < 5; segment++) {
        await site.postgres.query('INSERT INTO ledger VALUES ($1)', [`archived ${segment}`]);
        await site.archiveAll();
      }
      await site.postgres.query('CHECKPOINT');
    });
    after(() => site?.[Symbol.asyncDispose]());

    const write = (note: string) => site.postgres.query('INSERT INTO ledger VALUES ($1)', [note]);
    const caughtUp = async (standby: TestPostgres) => {
      const expected = await rows(site.postgres);
      await waitFor(async () => (await rows(standby)) === expected, {
        withinMs: 60_000,
        what: () => `the standby has all ${expected} rows:\n${standby.log()}`,
      });
    };

    test('catches up from the archive, then streams from the primary', async () => {
      const primary = `host=127.0.0.1 port=${site.postgres.port} user=postgres application_name=it_s_a_standby`;
      await using standby = await site.restored('streaming', ['--primary-conninfo', primary]);
      await caughtUp(standby);
      assert.match(standby.log(), /restored log file "[0-9A-F]{24}" from archive/);
      const streaming = `SELECT application_name FROM pg_stat_replication WHERE state = 'streaming'`;
      const isStreaming = async () => (await site.postgres.query(streaming))[0];
      const receiver = await waitFor(isStreaming, { withinMs: 30_000, what: () => `the standby streams:\n${standby.log()}` });
      assert.deepEqual(receiver, { application_name: 'it_s_a_standby' });

      await write('streamed, not archived');
      await caughtUp(standby);
      assert.equal(await isInRecovery(standby), true);
    });

    test('follows the archive alone, also past a daemon that was away, until it is promoted', async () => {
      await site.archiveAll();
      await using standby = await site.restored('following', [], { settings: { wal_retrieve_retry_interval: '100ms' } });
      await caughtUp(standby);
      await write('archived later');
      await site.archiveAll();
      await caughtUp(standby);

      await site.daemon.stop();
      await waitFor(() => /connection to pghoard .* failed/.test(standby.log()), {
        withinMs: 30_000,
        what: () => `the standby asks in vain:\n${standby.log()}`,
      });
      await site.daemon.launch();
      await write('archived after the daemon was away');
      await site.archiveAll();
      await caughtUp(standby);
      assert.equal(await isInRecovery(standby), true);

      await standby.query('SELECT pg_promote()');
      await standby.promoted();
      assert.equal(await rows(standby), await rows(site.postgres));
      await standby.query(`INSERT INTO ledger VALUES ('written by the new primary')`);
    });
  });
}
