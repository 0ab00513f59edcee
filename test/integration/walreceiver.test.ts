import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { parseLsn } from '../../src/postgres/lsn.ts';
import { walNameOf } from '../../src/postgres/wal-name.ts';
import { afterEvents } from '../support/after-events.ts';
import { siteName } from '../support/daemon.ts';
import { ReceivingSite, segmentBytes } from '../support/receiving-site.ts';
import { SeededRandom } from '../support/seeded-random.ts';
import { makeSmallDisk, type SmallDisk } from '../support/small-disk.ts';
import { startPgReceivewal } from '../support/start-pg-receivewal.ts';
import { waitFor } from '../support/wait-for.ts';

/** The server gives up a receiver that is silent for so long. */
const silenceSecondsMax = 2;

/** Only root may mount a small disk. */
if (process.getuid?.() === 0) test('a disk that fills up pauses receiving, and does not keep the server from stopping', pausesOnAFullDisk);

async function pausesOnAFullDisk(): Promise<void> {
  let disk: SmallDisk | undefined;
  const prepare = async (directory: string) => (disk = await makeSmallDisk(join(directory, 'spool'), 64 * 2 ** 20));
  const pg_receivexlog = { min_disk_free_bytes: 32 * 2 ** 20, disk_space_check_interval: 0.1 };
  await using site = await ReceivingSite.start({ mode: 'walreceiver', prepare, site: { pg_receivexlog } });
  await site.logged(/receiving WAL from/);
  await disk?.fill(site.daemon.pid ?? 0, 16 * 2 ** 20);
  await site.logged(/WAL is not being received: receiving of WAL is paused: only \d+ bytes are free.*alert=/);
  const name = await site.endSegment();
  await site.postgres.stop('fast');
  await site.postgres.launch();
  await disk?.makeRoom(site.daemon.pid ?? 0);
  await site.daemon.archived(name);
  await site.assertNoHole();
}

describe('WAL received over the replication protocol', () => {
  let site: ReceivingSite;

  before(async () => {
    site = await ReceivingSite.start({ mode: 'walreceiver', settings: { wal_sender_timeout: `${silenceSecondsMax}s` } });
    await site.logged(/receiving WAL from/);
  });
  after(() => site?.[Symbol.asyncDispose]());

  test('the slot is made, and holds WAL; the state file shows how far receiving is', async () => {
    const slots = await site.postgres.query('SELECT slot_type, active, restart_lsn IS NOT NULL AS holds FROM pg_replication_slots');
    assert.deepEqual(slots, [{ slot_type: 'physical', active: true, holds: true }]);
    await site.addSegment();
    const reached = await position();
    const isShown = async () => {
      const state = await site.state();
      return state?.running === true && BigInt(state.last_flushed_lsn ?? 0) >= reached;
    };
    await waitFor(isShown, { withinMs: 30_000, what: 'the state file tells what is flushed' });
  });

  test('beside what is being received only the last raw file stays, as pg_receivewal would leave it', async () => {
    const last = await site.addSegment();
    await site.postgres.query('CHECKPOINT');
    const remaining = async () => {
      const [first, second, ...others] = (await readdir(site.incomingDirectory)).toSorted();
      return first === last && second?.endsWith('.partial') && others.length === 0;
    };
    await waitFor(remaining, { withinMs: 30_000, what: 'all but the last file are removed' });
  });

  test('while nothing can be stored, commits that wait for us return and the connection is kept', async () => {
    await alterSystem(`SET synchronous_standby_names = 'pghoard_walreceiver'`);
    const sender = await waitFor(async () => walSender(`sync_state = 'sync'`), {
      withinMs: 30_000,
      what: 'we are the synchronous standby',
    });
    const [wal, aside] = [join(site.daemon.storeDirectory, siteName, 'xlog'), join(site.directory, 'aside')];
    await rename(wal, aside);
    await writeFile(wal, 'in the way');
    const logged = site.daemon.log.length;
    const name = await site.endSegment();
    await site.logged(/cannot archive received WAL file/, logged);
    const isLate = `now() > '${String(sender['now'])}'::timestamptz + interval '${silenceSecondsMax + 1} seconds'`;
    const [, later] = await Promise.all([site.endSegment(), waitFor(() => walSender(isLate), { withinMs: 30_000, what: 'time goes by' })]);
    assert.equal(later['pid'], sender['pid']);
    await rm(wal);
    await rename(aside, wal);
    await alterSystem('RESET synchronous_standby_names');
    await site.daemon.archived(name);
    await site.assertNoHole();
  });

  test('a slot that somebody else uses is left to him, who is named', async () => {
    await site.postgres.query(`SELECT pg_create_physical_replication_slot('other', true)`);
    const logged = site.daemon.log.length;
    {
      await using other = await startPgReceivewal(site.postgres, 'other');
      await site.daemon.reconfigure({ site: { nodes: [{ connection_string: site.postgres.dsn, slot: 'other' }] } });
      await site.logged(/the replication slot other is used by pg_receivewal on 127\.0\.0\.1, process \d+ of the server/, logged);
      assert.equal(other.exitCode, null);
    }
    await site.logged(/receiving WAL from/, logged);
    await site.addSegment();
    await site.daemon.reconfigure({ site: { nodes: [{ connection_string: site.postgres.dsn, slot: 'pghoard' }] } });
    await site.addSegment();
    await site.assertNoHole();
  });

  test('the mode can be changed, and changed back: each goes on with the files of the other', async () => {
    for (const active_backup_mode of ['pg_receivexlog', 'walreceiver']) {
      await site.postgres.query(`INSERT INTO ledger SELECT max(id) + 1, md5((max(id) + 1)::text) FROM ledger`);
      const logged = site.daemon.log.length;
      await site.daemon.reconfigure({ site: { active_backup_mode } });
      await site.logged(/receiving WAL from/, logged);
      await site.addSegment();
      await site.assertNoHole();
    }
  });

  test('a segment that the store lost, of those that the slot still holds, is received again', async () => {
    await site.postgres.query('CHECKPOINT');
    await site.postgres.query(`SELECT pg_create_physical_replication_slot('held', true)`);
    const [, lost] = [await site.addSegment(), await site.addSegment(), await site.addSegment()];
    const stored = join(site.daemon.storeDirectory, siteName, 'xlog', lost);
    const isLetGo = () => !existsSync(join(site.incomingDirectory, lost)); // else it is stored again from there
    await waitFor(isLetGo, { withinMs: 30_000, what: () => `${lost} is in the store only:\n${site.daemon.log}` });
    await Promise.all([stored, `${stored}.metadata`].map((path) => rm(path)));
    const logged = site.daemon.log.length;
    await site.daemon.reconfigure({ site: { nodes: [{ connection_string: site.postgres.dsn, slot: 'held' }] } });
    await site.logged(new RegExp(`receiving begins at .*: ${lost} is missing before what is stored`), logged);
    await site.daemon.archived(lost);
    await site.daemon.reconfigure({ site: { nodes: [{ connection_string: site.postgres.dsn, slot: 'pghoard' }] } });
    await site.postgres.query(`SELECT pg_drop_replication_slot('held')`);
    await site.assertNoHole();
  });

  test('a slot that was dropped while the daemon was down is made anew, and nothing is lost that the server still has', async () => {
    await site.daemon.stop();
    await site.postgres.query(`SELECT pg_drop_replication_slot('pghoard')`);
    await site.endSegment();
    await site.endSegment();
    await site.daemon.launch();
    await site.addSegment();
    await site.assertNoHole();
    assert.equal((await site.postgres.query(`SELECT FROM pg_replication_slots WHERE slot_name = 'pghoard' AND active`)).length, 1);
  });

  test('a daemon that is killed -9 at any moment goes on where it was', async (t) => {
    const random = new SeededRandom();
    t.diagnostic(`PGHOARD_TEST_SEED=${random.seed}`);
    for (let kill = 0; kill < 3; kill++) {
      const killed = afterEvents([site.incomingDirectory], random.between(1, 12), () => process.kill(site.daemon.pid ?? 0, 'SIGKILL'));
      for (let n = 0; n < 3; n++) await site.endSegment();
      t.diagnostic(`kill ${kill}: ${await killed}`);
      await site.daemon.kill9();
      await site.endSegment();
      await site.daemon.launch();
      await site.addSegment();
      await site.assertNoHole();
    }
  });

  test('the state file of the original tells where to begin, if nothing else does', async () => {
    const flushed = await position();
    await site.endSegment();
    await site.endSegment();
    await site.daemon.stop();
    await rm(site.incomingDirectory, { recursive: true });
    await rm(join(site.daemon.storeDirectory, siteName), { recursive: true });
    await rm(join(site.daemon.spoolDirectory, 'identity.json'));
    const left = {
      walreceivers: { [siteName]: { latest_activity: '2016-06-23T14:53:25.840787Z', running: true, last_flushed_lsn: Number(flushed) } },
    };
    await writeFile(join(site.daemon.directory, 'state.json'), JSON.stringify(left));
    await site.daemon.launch();
    await site.addSegment();
    await site.daemon.archived(walNameOf(flushed, 1, segmentBytes));
    await site.assertNoHole();
    assert.equal((await site.storedWal())[0], walNameOf(flushed, 1, segmentBytes));
    assert.match(await readFile(join(site.daemon.directory, 'state.json'), 'utf8'), /"walreceivers": \{\s+"main"/);
  });

  test('a slot that the server gave up is made anew; receiving goes on behind what is lost, and says what that is', async () => {
    await alterSystem(`SET max_slot_wal_keep_size = '1MB'`);
    await site.daemon.stop();
    const status = async () =>
      (await site.postgres.query(`SELECT wal_status FROM pg_replication_slots WHERE slot_name = 'pghoard'`))[0]?.['wal_status'];
    const givenUp = async () => {
      for (let n = 0; n < 12; n++) await site.endSegment();
      await site.postgres.query('CHECKPOINT');
      return (await status()) === 'lost';
    };
    await waitFor(givenUp, { withinMs: 60_000, what: () => `the server gives the slot up:\n${site.postgres.log()}` });
    const logged = site.daemon.log.length;
    await site.daemon.launch();
    const end = await site.logged(/WAL is missing from 00000001\S+ until 00000001\S+/, logged);
    assert.match(site.daemon.log.slice(logged, end), /has been invalidated|does not have WAL segment/);
    const isReserved = async () => (await status()) === 'reserved';
    await waitFor(isReserved, { withinMs: 30_000, what: () => `the slot holds WAL again:\n${site.daemon.log}` });
    await site.addSegment();
  });

  async function position(): Promise<bigint> {
    return parseLsn((await site.postgres.query('SELECT pg_current_wal_flush_lsn()::text AS lsn'))[0]?.['lsn'] as string);
  }

  async function walSender(condition: string) {
    const ours = `SELECT pid, now()::text FROM pg_stat_replication WHERE application_name = 'pghoard_walreceiver'`;
    return (await site.postgres.query(`${ours} AND ${condition}`))[0];
  }

  async function alterSystem(change: string): Promise<void> {
    await site.postgres.query(`ALTER SYSTEM ${change}`);
    await site.postgres.query('SELECT pg_reload_conf()');
  }
});
