import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Load, wholeLedger } from '../support/load.ts';
import { TestPostgres } from '../support/postgres.ts';
import { connectionFlags, runClientProgram } from '../support/postgres-programs.ts';
import { isRunning, signalProcess } from '../support/process-tree.ts';
import { ReceivingSite, segmentBytes } from '../support/receiving-site.ts';
import { waitFor } from '../support/wait-for.ts';

describe('WAL received with pg_receivewal through a slot', () => {
  let site: ReceivingSite;

  before(async () => {
    site = await ReceivingSite.start();
    await site.logged(/receiving WAL from/);
    await runClientProgram('pgbench', '15', [...connectionFlags(site.postgres), '--initialize', '--quiet', 'postgres']);
    await site.daemon.basebackup();
  });
  after(() => site?.[Symbol.asyncDispose]());

  test('what is finished arrives, and only the last raw file stays', async () => {
    await site.addSegment();
    const last = await site.addSegment();
    const remaining = async () => (await rawSegments()).join() === last;
    await waitFor(remaining, { withinMs: 30_000, what: 'all but the last file are removed' });
    const isShown = async () => (await site.state())?.because.startsWith('receiving since 0/');
    await waitFor(isShown, { withinMs: 30_000, what: 'the state file shows it' });
    assert.equal((await site.state())?.running, true);
  });

  test('the state file shows it active also while the server writes nothing', async () => {
    const seen = (await site.state())?.latest_activity ?? '';
    await waitFor(async () => ((await site.state())?.latest_activity ?? '') > seen, { withinMs: 30_000, what: 'activity goes on' });
  });

  test('a receiver that is killed is started again, and nothing is lost', async () => {
    const logged = site.daemon.log.length;
    const [pid] = site.receivers();
    signalProcess(pid as number, 'SIGKILL');
    await site.endSegment();
    await site.logged(/WAL is not being received: pg_receivewal ended with SIGKILL/, logged);
    await site.logged(/receiving WAL from/, logged);
    await site.addSegment();
    await site.assertNoHole();
  });

  test('a receiver that hangs while the server writes is started again', async () => {
    await site.daemon.reconfigure({ global: { stalled_after_seconds: { receiver: 4 } } });
    const logged = site.daemon.log.length;
    const [pid] = site.receivers();
    signalProcess(pid as number, 'SIGSTOP');
    const isNoticed = async () => {
      await site.endSegment();
      return /WAL is not being received: the receiving of WAL has made no progress for 4 s/.test(site.daemon.log.slice(logged));
    };
    await waitFor(isNoticed, { withinMs: 60_000, everyMs: 1_000, what: () => `it is noticed:\n${site.daemon.log.slice(logged)}` });
    // A new one may take its time to start.
    await site.daemon.reconfigure({ global: { stalled_after_seconds: {} } });
    await site.logged(/receiving WAL from/, logged);
    await site.addSegment();
    await site.assertNoHole();
    assert.equal(isRunning(pid as number), false);
    assert.equal(site.daemon.log.slice(logged).match(/no progress any more: the receiving of WAL/g)?.length, 1, 'the new one is well');
  });

  test('it comes back after the server does', async () => {
    const logged = site.daemon.log.length;
    await site.postgres.stop();
    await site.logged(/WAL is not being received/, logged);
    await site.postgres.launch();
    await site.logged(/receiving WAL from/, logged);
    await site.addSegment();
    await site.assertNoHole();
    assert.equal(existsSync(alertFile('configuration_error')), false);
  });

  test('a slot that is missing is named, and awaited', async () => {
    const node = (slot: string) => ({ nodes: [{ connection_string: site.postgres.dsn, slot }] });
    const logged = site.daemon.log.length;
    await site.daemon.reconfigure({ site: node('other') });
    await site.logged(/the replication slot other does not exist on the server[^]*pg_create_physical_replication_slot/, logged);
    await waitFor(() => existsSync(alertFile('configuration_error')), { withinMs: 30_000, what: 'the alert is raised' });
    await site.postgres.query(`SELECT pg_create_physical_replication_slot('other', true)`);
    await waitFor(() => !existsSync(alertFile('configuration_error')), { withinMs: 30_000, what: 'the alert is cleared' });
    await site.daemon.reconfigure({ site: node('pghoard') });
    await site.addSegment();
    await site.assertNoHole();
  });

  test('a file that is not what its name says is set aside and shown, and holds up nothing', async () => {
    const name = '0000000100000000000000F0';
    await writeFile(join(site.incomingDirectory, name), Buffer.alloc(segmentBytes, 'x'));
    await site.logged(/received WAL file set aside: .*0000000100000000000000F0/);
    await site.addSegment();
    assert.deepEqual(await readdir(join(site.incomingDirectory, 'rejected')), [name]);
    await waitFor(async () => (await site.state())?.rejected.includes(name), { withinMs: 30_000, what: 'the state file names it' });
    await waitFor(() => existsSync(alertFile('wal_gap')), { withinMs: 30_000, what: 'the alert is raised' });
  });

  test('receiving pauses while the disk is nearly full, and catches up', async () => {
    const guard = (bytes: number | null) => ({ pg_receivexlog: { min_disk_free_bytes: bytes, disk_space_check_interval: 0.1 } });
    const logged = site.daemon.log.length;
    await site.daemon.reconfigure({ site: guard(2 ** 52) });
    await site.logged(/receiving of WAL is paused: only \d+ bytes are free/, logged);
    const name = await site.endSegment();
    await waitFor(async () => (await site.state())?.running === false, { withinMs: 30_000, what: 'the state file says so' });
    await site.daemon.reconfigure({ site: guard(null) });
    await site.daemon.archived(name);
    await site.assertNoHole();
  });

  test('WAL of another cluster is not received, and that of the right one again as soon as it is back', async () => {
    await using other = await TestPostgres.start({ initdb: ['--wal-segsize=1'] });
    const logged = site.daemon.log.length;
    const { nodes, pg_data_directory } = await site.daemon.siteConfig();
    await site.daemon.reconfigure({ site: { nodes: [other.dsn], pg_data_directory: other.dataDirectory } });
    await site.logged(/WAL is not being received: the cluster .* is of another cluster than site main: its system identifier is/, logged);
    await waitFor(() => existsSync(alertFile('cluster_mismatch')), { withinMs: 30_000, what: 'the alert is raised' });
    assert.deepEqual(site.receivers(), []);
    await site.daemon.reconfigure({ site: { nodes, pg_data_directory } });
    await waitFor(() => !existsSync(alertFile('cluster_mismatch')), { withinMs: 30_000, what: 'the alert is cleared' });
    await site.addSegment();
    await site.assertNoHole();
  });

  test('a daemon that is killed -9 again and again under load loses nothing, and leaves no second receiver', async () => {
    await using load = await Load.start(site.postgres, '15');
    for (let kill = 0; kill < 2; kill++) {
      const receivers = site.receivers();
      await site.daemon.kill9();
      await waitFor(() => !receivers.some(isRunning), { withinMs: 30_000, what: 'the receiver dies with the daemon' });
      await load.goesOn();
      await site.postgres.switchWal();
      await site.daemon.launch();
      await waitFor(() => site.receivers().length === 1, { withinMs: 30_000, what: () => `one receiver runs\n${site.daemon.log}` });
      await load.goesOn();
    }
    await load.stop();
    const committed = load.lastCommitted;
    await site.daemon.archived(await site.postgres.switchWal());
    await site.assertNoHole();
    await using restored = await site.restored('after-kills');
    assert.equal(await wholeLedger(restored), committed);
  });

  async function rawSegments(): Promise<string[]> {
    return (await readdir(site.incomingDirectory)).filter((name) => /^[0-9A-F]{24}$/.test(name));
  }

  function alertFile(name: string): string {
    return join(site.daemon.directory, 'alerts', name);
  }
});
