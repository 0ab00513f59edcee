import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import type { TestPostgres } from '../support/postgres.ts';
import { TestSite } from '../support/test-site.ts';
import { waitFor } from '../support/wait-for.ts';

const notesOf = async (postgres: TestPostgres) => (await postgres.query('SELECT note FROM ledger ORDER BY note')).map(({ note }) => note);

for (const version of ['15', 'embedded'] as const) {
  describe(`PostgreSQL ${version}, restored to a chosen point`, () => {
    let site: TestSite;
    /** Names of the base backups before and after what happened. */
    let early: string;
    let late: string;
    /** Points in the life of the ledger. */
    const points = { beforeAll: '', afterFirst: '', transaction: '', position: '', afterLast: '' };

    const write = (note: string) => site.postgres.query('INSERT INTO ledger VALUES ($1)', [note]);
    const now = async () => (await site.postgres.query('SELECT clock_timestamp()::text AS now'))[0]?.['now'] as string;

    before(async () => {
      site = await TestSite.start({ version, encrypted: true });
      points.beforeAll = await now();
      await site.postgres.query('CREATE TABLE ledger (note text)');
      early = await site.basebackup();
      await write('1 first');
      points.afterFirst = await now();
      await write('2 after the time');
      const [chosen] = await site.postgres.query(
        `WITH written AS (INSERT INTO ledger VALUES ('3 in the transaction')) SELECT pg_current_xact_id()::text AS xid`,
      );
      points.transaction = chosen?.['xid'] as string;
      points.position = (await site.postgres.query('SELECT pg_current_wal_insert_lsn()::text AS lsn'))[0]?.['lsn'] as string;
      await write('4 before the restore point');
      await site.postgres.query(`SELECT pg_create_restore_point('before the mistake')`);
      await write('5 after the restore point');
      late = await site.basebackup();
      await write('6 after the late backup');
      points.afterLast = await now();
      await site.postgres.query('DROP TABLE ledger');
      await site.archiveAll();
    });
    after(() => site?.[Symbol.asyncDispose]());

    test('to a time before the newest base backup: an older one is taken by itself', async () => {
      await using restored = await site.recovered('time', ['--recovery-target-time', points.afterFirst]);
      assert.deepEqual(await notesOf(restored), ['1 first']);
    });

    test('to a time after the newest base backup, just before a mistake', async () => {
      const target = site.place('late time');
      const printed = await site.daemon.restore(target, ['--restore-to-primary', '--recovery-target-time', points.afterLast]);
      assert.match(printed, new RegExp(`Selecting 'main/basebackup/${late}`));
      await using restored = await site.startOn(target);
      await restored.promoted();
      assert.equal((await notesOf(restored)).at(-1), '6 after the late backup');
      assert.equal((await notesOf(restored)).length, 6);
    });

    test('to a transaction, which is the last one that is there', async () => {
      await using restored = await site.recovered('xid', ['--basebackup', early, '--recovery-target-xid', points.transaction]);
      assert.deepEqual(await notesOf(restored), ['1 first', '2 after the time', '3 in the transaction']);
    });

    test('to just before a transaction', async () => {
      const flags = ['--recovery-target-xid', points.transaction, '--recovery-target-exclusive'];
      await using restored = await site.recovered('before xid', ['--basebackup', early, ...flags]);
      assert.deepEqual(await notesOf(restored), ['1 first', '2 after the time']);
    });

    test('to a position in the WAL before the newest base backup: an older one is taken by itself', async () => {
      await using restored = await site.recovered('lsn', ['--recovery-target-lsn', points.position]);
      assert.deepEqual(await notesOf(restored), ['1 first', '2 after the time', '3 in the transaction']);
    });

    test('to a restore point, to look around there before going on', async () => {
      const flags = ['--basebackup', early, '--recovery-target-name', 'before the mistake', '--recovery-target-action', 'pause'];
      await using restored = await site.restored('name', ['--restore-to-primary', ...flags]);
      const isPaused = async () => (await restored.query('SELECT pg_is_wal_replay_paused() AS paused'))[0]?.['paused'];
      await waitFor(isPaused, { withinMs: 30_000, what: () => `recovery pauses at its target:\n${restored.log()}` });
      const expected = ['1 first', '2 after the time', '3 in the transaction', '4 before the restore point'];
      assert.deepEqual(await notesOf(restored), expected);
      await restored.query('SELECT pg_wal_replay_resume()');
      await restored.promoted();
      assert.deepEqual(await notesOf(restored), expected);
    });

    test('to a restore point, to be shut down there', async () => {
      const flags = ['--basebackup', early, '--recovery-target-name', 'before the mistake', '--recovery-target-action', 'shutdown'];
      await using restored = await site.restored('shutdown', ['--restore-to-primary', ...flags], { waitForRecovery: false });
      assert.match(await restored.ended(), /shutdown at recovery target/);
    });

    test('to the end of the archive, the mistake included', async () => {
      await using restored = await site.recovered('end');
      await assert.rejects(notesOf(restored), /relation "ledger" does not exist/);
      assert.match(site.daemon.log, /method=GET url=\/main\/archive\/\S+ status=201/);
      assert.doesNotMatch(site.daemon.log, /status=417/, 'the daemon puts files where the shell client wants them, whoever runs it');
    });

    test('a time before every base backup is refused, and nothing is touched', async () => {
      const { code, stderr } = await site.daemon.tryRestore(site.place('too early'), ['--recovery-target-time', points.beforeAll]);
      assert.equal(code, 1);
      assert.match(stderr, new RegExp(`target-before-basebackup[^]*${early}`));
      assert.equal(existsSync(site.place('too early')), false);
    });

    test('a restore point that never was: PostgreSQL refuses to come up instead of giving something else', async () => {
      const flags = ['--restore-to-primary', '--recovery-target-name', 'never made'];
      await using restored = await site.restored('no such point', flags, { waitForRecovery: false });
      assert.match(await restored.ended(), /recovery ended before configured recovery target was reached/);
    });
  });
}
