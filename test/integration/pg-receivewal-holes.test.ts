import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { wholeLedger } from '../support/load.ts';
import { TestPostgres } from '../support/postgres.ts';
import { ReceivingSite } from '../support/receiving-site.ts';
import { makeSmallDisk, type SmallDisk } from '../support/small-disk.ts';
import { waitFor } from '../support/wait-for.ts';

test('WAL that the server has removed leads to a new base backup, without and with a slot', async () => {
  await using site = await ReceivingSite.start({ slot: null, site: { basebackup_interval_hours: 24 } });
  const { postgres, daemon } = site;
  await site.logged(/a node has no replication slot/);
  await daemon.basebackups(1);
  await site.addSegment();
  await daemon.stop();
  await outrun();
  await checkHole(2);

  await postgres.query(`SELECT pg_create_physical_replication_slot('pghoard', true)`);
  await daemon.reconfigure({ site: { nodes: [{ connection_string: postgres.dsn, slot: 'pghoard' }] } });
  await site.addSegment();
  await postgres.query(`ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'`);
  await postgres.query('SELECT pg_reload_conf()');
  await daemon.stop();
  await outrun();
  assert.deepEqual(await postgres.query('SELECT wal_status FROM pg_replication_slots'), [{ wal_status: 'lost' }]);
  await checkHole(3);
  assert.deepEqual(await postgres.query('SELECT wal_status FROM pg_replication_slots'), [{ wal_status: 'reserved' }]);

  await site.addSegment();
  await using restored = await site.restored('behind-the-hole');
  assert.equal(await wholeLedger(restored), await wholeLedger(postgres));

  /** Writes until the server has removed what comes next for the receiver. */
  async function outrun(): Promise<void> {
    for (let n = 0; n < 16; n++) await site.endSegment();
    await postgres.query('CHECKPOINT');
    for (let n = 0; n < 12; n++) await site.endSegment();
    await postgres.query('CHECKPOINT');
  }

  async function checkHole(backups: number): Promise<void> {
    const alert = join(daemon.directory, 'alerts', 'wal_gap');
    const logged = daemon.log.length;
    await daemon.launch();
    const end = await site.logged(/WAL is missing from 00000001\S+ until 00000001\S+/, logged);
    await waitFor(() => existsSync(alert) || /a base backup from after the hole/.test(daemon.log.slice(logged)), {
      withinMs: 30_000,
      what: 'the alert is raised',
    });
    assert.match(daemon.log.slice(logged, end), /does not have WAL segment/);
    await daemon.basebackups(backups);
    await site.logged(/a base backup from after the hole in the WAL is complete/, logged);
    await waitFor(() => !existsSync(alert), { withinMs: 30_000, what: 'the alert is cleared' });
  }
});

test('a promoted standby is followed onto its timeline, also one that had not seen all that was received', async () => {
  await using site = await ReceivingSite.start();
  const { postgres, daemon } = site;
  await daemon.basebackup();
  await site.addSegment();
  await using standby = await site.standby('standby');
  await site.addSegment();
  await standby.query(`SELECT pg_create_physical_replication_slot('pghoard', true)`);
  const nodes = [postgres, standby].map(({ dsn }) => ({ connection_string: dsn, slot: 'pghoard' }));
  await daemon.reconfigure({ site: { nodes } });
  const shared = await wholeLedger(postgres);
  await site.caughtUp(standby);
  await standby.stop();
  await site.addSegment();
  await site.addSegment();
  await postgres.kill9();
  await standby.launch();
  await standby.query('SELECT pg_promote()');
  await standby.promoted();
  await site.logged(/receiving goes on where the timeline of the server begins/);
  await standby.query(`INSERT INTO ledger SELECT n, md5(n::text) FROM generate_series(${shared + 1}, ${shared + 50}) AS n`);
  await daemon.archived(await standby.switchWal());
  // Segments and histories are stored side by side.
  await daemon.archived('00000002.history');
  const catalog = await daemon.catalog();
  await site.assertNoHole(2);
  await using restored = await site.restored('second-timeline');
  assert.equal(await wholeLedger(restored), shared + 50);

  // pg_receivewal would bring it again by itself.
  await daemon.reconfigure({ site: { active_backup_mode: 'archive_command' } });
  await daemon.stop();
  await catalog.store.delete(catalog.walKey('00000002.history'));
  await daemon.launch();
  await site.logged(/00000002\.history is missing: recovery ends on a timeline before it/);
  await daemon.archived('00000002.history');
});

test('a wrong password raises an alert, which goes away with it', async () => {
  const hba = ['host all,replication receiver 127.0.0.1/32 scram-sha-256'];
  const dsn = ({ port }: TestPostgres) => `postgres://receiver:right@127.0.0.1:${port}/postgres`;
  await using site = await ReceivingSite.start({ hba, dsn });
  const alert = join(site.daemon.directory, 'alerts', 'authentication_error');
  await site.logged(/WAL is not being received: .*password authentication failed/);
  await waitFor(() => existsSync(alert), { withinMs: 30_000, what: 'the alert is raised' });
  assert.equal((await site.state())?.running ?? false, false);
  await site.postgres.query(`CREATE ROLE receiver LOGIN REPLICATION PASSWORD 'right'`);
  await waitFor(() => !existsSync(alert), { withinMs: 30_000, what: 'the alert is cleared' });
  await site.addSegment();
  assert.equal(site.daemon.log.match(/^\S+ (WARNING|ERROR) .*password authentication failed/gm)?.length, 2, site.daemon.log);
  assert.doesNotMatch(site.daemon.log, /right/);
});

/** Only root may mount a small disk; what everybody can see of the guard is in pg-receivewal.test.ts. */
if (process.getuid?.() === 0) test('a receiver on a disk that fills up is stopped, and goes on when there is room', pausesOnAFullDisk);

async function pausesOnAFullDisk(): Promise<void> {
  let disk: SmallDisk | undefined;
  const prepare = async (directory: string) => (disk = await makeSmallDisk(join(directory, 'spool'), 64 * 2 ** 20));
  const pg_receivexlog = { min_disk_free_bytes: 32 * 2 ** 20, disk_space_check_interval: 0.1 };
  await using site = await ReceivingSite.start({ prepare, site: { pg_receivexlog } });
  await site.logged(/receiving WAL from/);
  await site.addSegment();
  const [pid] = site.receivers();
  await disk?.fill(site.daemon.pid ?? 0, 16 * 2 ** 20);
  await site.logged(/receiving of WAL is paused: only \d+ bytes are free/);
  assert.match(await readFile(`/proc/${pid}/stat`, 'utf8'), /\(pg_receivewal\) T /);
  const name = await site.endSegment();
  await disk?.makeRoom(site.daemon.pid ?? 0);
  await site.logged(/receiving WAL again, there is room/);
  await site.daemon.archived(name);
  await site.assertNoHole();
}
