import assert from 'node:assert/strict';
import { appendFile, chown, copyFile, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { takeBasebackup } from '../../src/basebackup/basebackup.ts';
import type { BasebackupJob } from '../../src/basebackup/job.ts';
import type { BasebackupEntry } from '../../src/catalog/basebackup-entry.ts';
import { LastWal } from '../../src/daemon/last-wal.ts';
import { endSegmentOfNode } from '../../src/daemon/servers/end-segment-of-node.ts';
import { PostgresProbe } from '../../src/daemon/servers/postgres-probe.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { runProgram } from '../../src/lib/subprocess.ts';
import { connect } from '../../src/postgres/client.ts';
import { parseConninfo } from '../../src/postgres/conninfo.ts';
import { endSegmentIfCurrent } from '../../src/postgres/end-segment.ts';
import { formatWalName, nextWalName, parseWalName } from '../../src/postgres/wal-name.ts';
import { BackupBench, unpackMembers } from '../support/backup-bench.ts';
import { systemUser, TestPostgres } from '../support/postgres.ts';
import { openStoredArchive } from '../support/sealed-archive.ts';
import { waitFor } from '../support/wait-for.ts';

const never = new AbortController().signal;
const segmentBytes = 1024 * 1024;
const kinds: readonly Pick<BasebackupJob, 'mode' | 'format'>[] = [
  { mode: 'local-tar', format: 'pghoard-bb-v2' },
  { mode: 'local-tar', format: 'pghoard-bb-v1' },
  { mode: 'delta', format: 'pghoard-bb-v2' },
  { mode: 'basic', format: 'pghoard-bb-v2' },
  { mode: 'pipe', format: 'pghoard-bb-v2' },
  { mode: 'stream', format: 'pghoard-bb-v2' },
];

describe('the end segment of a base backup', () => {
  let bench: BackupBench;
  let primary: TestPostgres;
  let standby: TestPostgres;

  /** A standby whose last restart point lies some segments behind what it has replayed and written. */
  before(async () => {
    bench = await BackupBench.open();
    primary = await TestPostgres.start({ initdb: ['--wal-segsize=1'], settings: { wal_keep_size: '256MB', max_wal_size: '1GB' } });
    const home = await bench.directory('standby');
    const data = join(home, 'data');
    const args = ['-D', data, '-R', '-X', 'stream', '-c', 'fast', '-d', primary.dsn];
    const copied = await runProgram(join(primary.bin, 'pg_basebackup'), args, { ...systemUser(), cwd: home });
    assert.equal(copied.code, 0, copied.stderr);
    standby = await TestPostgres.startOn(data);
    await primary.query('CREATE TABLE words AS SELECT i, md5(i::text) AS word FROM generate_series(1, 20000) AS i');
    const [{ lsn } = {}] = await primary.query('SELECT pg_current_wal_flush_lsn() AS lsn');
    const isThere = async () => (await standby.query('SELECT pg_last_wal_replay_lsn() >= $1 AS there', [lsn]))[0]?.['there'] === true;
    await waitFor(isThere, { withinMs: 30_000, everyMs: 20, what: 'the standby has replayed all' });
  });
  after(async () => {
    await standby?.[Symbol.asyncDispose]();
    await primary?.[Symbol.asyncDispose]();
    await bench?.[Symbol.asyncDispose]();
  });

  /** What was stored, on a disk, with a `restore_command` that finds the segments from the first to `last` and nothing else. */
  async function restored(entry: BasebackupEntry, last: string): Promise<string> {
    const home = await bench.directory(`${entry.name} ${last}`);
    const keys = [...(await bench.storedKeys(`site/basebackup_chunk/${entry.name}`)), entry.key];
    for (const key of keys) {
      const members = await openStoredArchive(bench.store, key);
      await unpackMembers(
        members.filter(({ path }) => path !== '.pghoard_tar_metadata.json'),
        home,
      );
    }
    const [data, archive] = [join(home, 'data'), join(home, 'archive')];
    await mkdir(archive, { mode: 0o755 });
    for (let name = entry.startWalSegment; name <= last; name = nextWalName(name, segmentBytes)) {
      await copyFile(join(primary.dataDirectory, 'pg_wal', name), join(archive, name));
      await chown(join(archive, name), systemUser().uid, systemUser().gid);
    }
    const settings = [
      `restore_command = 'cp "${archive}/%f" "%p"'`,
      `recovery_target = 'immediate'`,
      `recovery_target_action = 'promote'`,
      `primary_conninfo = ''`,
    ];
    await appendFile(join(data, 'postgresql.auto.conf'), `${settings.join('\n')}\n`);
    await rm(join(data, 'standby.signal'), { force: true });
    await writeFile(join(data, 'recovery.signal'), '');
    return data;
  }

  test('of a standby it is the one in which recovery finds the copy consistent, whatever the mode', async () => {
    const entries: BasebackupEntry[] = [];
    for (const kind of kinds) entries.push(await takeBasebackup(bench.job(standby, kind), bench.deps, never));
    const [row] = await standby.query(
      `SELECT min_recovery_end_lsn - '0/1'::pg_lsn AS last, min_recovery_end_timeline AS timeline FROM pg_control_recovery()`,
    );
    const expected = formatWalName(
      { timeline: Number(row?.['timeline']), number: BigInt(String(row?.['last'])) / BigInt(segmentBytes) },
      segmentBytes,
    );
    for (const { endWalSegment, startWalSegment, backupFrom } of entries) {
      assert.deepEqual([endWalSegment, backupFrom], [expected, 'standby']);
      assert.ok(startWalSegment < expected, 'there are segments before it');
    }
    await primary.switchWal();
    const takenBy = (mode: BasebackupJob['mode']) => entries[kinds.findIndex((kind) => kind.mode === mode)] as BasebackupEntry;
    const [chunked, piped, streamed] = [takenBy('local-tar'), takenBy('pipe'), takenBy('stream')];
    for (const entry of [chunked, piped, streamed]) {
      await using server = await TestPostgres.startOn(await restored(entry, expected));
      await server.promoted();
      const [{ rows } = {}] = await server.query('SELECT count(*)::int AS rows FROM words');
      assert.equal(rows, 20_000);
    }
    const oneFewer = formatWalName(
      { ...parseWalName(expected, segmentBytes), number: parseWalName(expected, segmentBytes).number - 1n },
      segmentBytes,
    );
    const data = await restored(chunked, oneFewer);
    const log = await TestPostgres.startOn(data).then(
      () => assert.fail('a segment fewer is enough'),
      (error: Error) => error.message,
    );
    assert.match(log, /FATAL: {2}recovery ended before configured recovery target was reached/);
    assert.doesNotMatch(log, /consistent recovery state reached/);
  });

  describe('what makes the primary end the segment that a base backup needs', () => {
    const current = async () => String((await primary.query('SELECT pg_walfile_name(pg_current_wal_insert_lsn()) AS name'))[0]?.['name']);
    const nodeOf = (user: string) => ({ conninfo: { ...parseConninfo(primary.dsn), user }, slot: null });
    const sample = async () => {
      const probe = new PostgresProbe();
      const answer = await probe.ask(nodeOf('postgres'), never);
      await probe.close();
      return { index: 0, label: 'db', obstacle: undefined, sample: { ...answer, sampledAt: new Date() } };
    };
    before(async () => {
      await primary.query('CREATE ROLE backs_up LOGIN; CREATE ROLE may_nothing LOGIN; CREATE ROLE replicates LOGIN REPLICATION');
      await primary.query('GRANT EXECUTE ON FUNCTION pg_backup_start(text, boolean), pg_backup_stop(boolean) TO backs_up');
    });

    for (const user of ['postgres', 'backs_up'])
      test(`it is done once, as ${user}, with a commit ahead`, async () => {
        await using connection = await connect(nodeOf(user).conninfo);
        const name = await current();
        const [earlier] = await primary.query('SELECT txid_current()::int AS xid');
        assert.equal(await endSegmentIfCurrent(connection, name, segmentBytes), true);
        assert.ok((await current()) > name);
        const [later] = await primary.query('SELECT txid_current()::int AS xid');
        assert.ok(Number(later?.['xid']) > Number(earlier?.['xid']) + 1);
        const next = await current();
        assert.equal(await endSegmentIfCurrent(connection, name, segmentBytes), false);
        assert.equal(await current(), next);
      });

    /** Three looks at a base backup that waits for the current segment, as this role; resolves to what is told. */
    async function looks(user: string): Promise<{ readonly said: string; readonly segment: string }> {
      const segment = await current();
      const entry = { name: 'b', endWalSegment: segment, metadata: {} } as BasebackupEntry;
      const said: string[] = [];
      const node = await sample();
      const lastWal = new LastWal({
        site: { name: 'site', nodes: [nodeOf(user)] },
        catalog: bench.deps.catalog,
        servers: { leader: node, usable: [node], asked: async () => {} },
        endSegment: endSegmentOfNode,
        clock: { ...systemClock, monotonicMs: () => said.length * 3_600_000 },
        log: { ...silentLog, info: (_, message) => void said.push(message) },
      });
      for (let pass = 0; pass < 3; pass++) {
        lastWal.look([entry]);
        await lastWal.settled();
      }
      await lastWal.stop();
      return { said: said.join('; '), segment };
    }

    test('a role that may only replicate begins a base backup for it', async () => {
      const { said, segment } = await looks('replicates');
      assert.match(said, new RegExp(`^the primary db has finished ${segment}, the last WAL segment that base backup b needs$`));
      assert.ok((await current()) > segment);
      const running = async () => (await primary.query('SELECT count(*)::int AS n FROM pg_stat_progress_basebackup'))[0]?.['n'];
      await waitFor(async () => (await running()) === 0, { withinMs: 10_000, what: 'that base backup is given up' });
    });

    test('where the role may not, that is told once, and the segment goes on', async () => {
      const { said, segment } = await looks('may_nothing');
      const words =
        /^base backup b can be restored once .* is stored, which is waited for: .*permission denied for function pg_backup_start [^;]*$/;
      assert.match(said, words);
      assert.equal(await current(), segment);
    });
  });
});
