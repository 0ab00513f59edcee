import assert from 'node:assert/strict';
import { lstat, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { takeBasebackup } from '../../src/basebackup/basebackup.ts';
import type { BasebackupJob } from '../../src/basebackup/job.ts';
import type { BasebackupEntry } from '../../src/catalog/basebackup-entry.ts';
import { createKeyPair } from '../../src/codec/keys.ts';
import { isOperatorError } from '../../src/lib/errors.ts';
import { BackupBench, copyWal, unpackMembers } from '../support/backup-bench.ts';
import { systemUser, TestPostgres } from '../support/postgres.ts';
import { type ArchivedMember, openStoredArchive } from '../support/sealed-archive.ts';

const never = new AbortController().signal;
let postgres: TestPostgres;
let keys: { publicKey: string; privateKey: string };

before(async () => {
  keys = await createKeyPair(2048);
  postgres = await TestPostgres.start({ settings: { wal_keep_size: '256MB' } });
  await postgres.query('CREATE TABLE words AS SELECT i, md5(i::text) AS word FROM generate_series(1, 20000) AS i');
  await postgres.query('CREATE UNLOGGED TABLE scratch AS SELECT 1 AS i');
});
after(async () => postgres[Symbol.asyncDispose]());

interface Manifest {
  readonly chunks: readonly { chunk_filename: string; input_size: number; result_size: number; files: string[] }[];
  readonly tablespaces: Record<string, { path: string; oid: number }>;
  readonly backup_end_wal_segment: string | null;
}

/** Everything that belongs to the backup, the chunks first. */
async function membersOf(bench: BackupBench, entry: BasebackupEntry): Promise<{ members: ArchivedMember[]; manifest?: Manifest }> {
  const main = await openStoredArchive(bench.store, entry.key, keys.privateKey);
  const json = main.find(({ path }) => path === '.pghoard_tar_metadata.json');
  const rest = main.filter((member) => member !== json);
  if (!json) return { members: rest };
  const manifest = JSON.parse(json.content.toString()) as Manifest;
  const members: ArchivedMember[] = [];
  for (const chunk of manifest.chunks ?? []) {
    const key = bench.deps.catalog.keys.chunkFile(chunk.chunk_filename);
    const stored = await bench.store.head(key);
    assert.equal(stored.size, chunk.result_size, `${key}: the manifest states its exact size`);
    assert.equal(stored.metadata['original-file-size'], String(chunk.input_size));
    const found = await openStoredArchive(bench.store, key, keys.privateKey);
    assert.deepEqual(
      found.map(({ path }) => path),
      chunk.files,
    );
    members.push(...found);
  }
  return { members: [...members, ...rest], manifest };
}

/** Starts what was backed up and counts the rows of `words`. */
async function recoveredRows(members: readonly ArchivedMember[], target: string): Promise<unknown> {
  await unpackMembers(members, target);
  const dataDirectory = join(target, 'data');
  await copyWal(postgres, dataDirectory);
  await using recovered = await TestPostgres.startOn(dataDirectory);
  await recovered.query('SELECT count(*) FROM scratch');
  const [row] = await recovered.query('SELECT count(*)::int AS rows, md5(string_agg(word, $1 ORDER BY i)) AS sum FROM words', [',']);
  return row;
}

async function originalRows(): Promise<unknown> {
  const [row] = await postgres.query('SELECT count(*)::int AS rows, md5(string_agg(word, $1 ORDER BY i)) AS sum FROM words', [',']);
  return row;
}

const kinds: readonly Pick<BasebackupJob, 'mode' | 'format'>[] = [
  { mode: 'local-tar', format: 'pghoard-bb-v2' },
  { mode: 'local-tar', format: 'pghoard-bb-v1' },
  { mode: 'basic', format: 'pghoard-bb-v2' },
  { mode: 'pipe', format: 'pghoard-bb-v2' },
  { mode: 'stream', format: 'pghoard-bb-v2' },
];

for (const kind of kinds) {
  for (const encrypted of [false, true]) {
    const title = `${kind.mode === 'local-tar' ? kind.format : kind.mode}, ${encrypted ? 'encrypted' : 'plain'}`;
    test(`a backup of a running server can be recovered (${title})`, async () => {
      await using bench = await BackupBench.open();
      const seal = {
        compression: { algorithm: 'snappy' as const, level: 0 },
        ...(encrypted && { publicKey: keys.publicKey, encryptionKeyId: 'main' }),
      };
      const entry = await takeBasebackup(bench.job(postgres, { ...kind, seal }), bench.deps, never);

      assert.equal(entry.encryptionKeyId, encrypted ? 'main' : undefined);
      assert.equal(entry.pgVersion, Number((await postgres.query('SHOW server_version_num'))[0]?.['server_version_num']));
      assert.match(entry.startWalSegment, /^0000000100000000/);
      assert.equal(entry.backupFrom, 'primary');
      const [finished] = await postgres.query('SELECT pg_walfile_name(pg_current_wal_insert_lsn()) > $1 AS finished', [
        entry.endWalSegment,
      ]);
      assert.equal(finished?.['finished'], true, `${entry.endWalSegment} is finished`);
      assert.ok(entry.endWalSegment && entry.endWalSegment >= entry.startWalSegment);
      assert.ok(entry.endTime && entry.endTime >= entry.startTime);
      assert.equal(entry.metadata['backup-decision-time'], '2026-11-23T01:02:03+00:00');
      assert.deepEqual(await bench.spooled(), []);
      const last = bench.progress.at(-1);
      assert.ok(last && last.bytesDone > 1_000_000 && last.filesDone > 0);

      await postgres.query('INSERT INTO words SELECT 20001, $1', [`after ${entry.name} ${title}`]);
      await postgres.query('DELETE FROM words WHERE i > 20000');
      const { members } = await membersOf(bench, entry);
      assert.deepEqual(await recoveredRows(members, await bench.directory('copy')), await originalRows());
    });
  }
}

test('a chunked backup is made of several chunks, and its control archive has the members in their order', async () => {
  await using bench = await BackupBench.open();
  const entry = await takeBasebackup(bench.job(postgres), bench.deps, never);
  const { members, manifest } = await membersOf(bench, entry);
  assert.ok((manifest?.chunks.length ?? 0) > 3);
  assert.equal(
    entry.plainSize,
    manifest?.chunks.reduce((sum, chunk) => sum + chunk.input_size, 0),
  );
  assert.equal(entry.endWalSegment, manifest?.backup_end_wal_segment);
  const control = (await openStoredArchive(bench.store, entry.key)).map(({ path }) => path.replace(/\/$/, ''));
  assert.deepEqual(control.slice(0, 3), ['.pghoard_tar_metadata.json', 'pgdata/global/pg_control', 'pgdata/backup_label']);
  assert.deepEqual(control.slice(3), [
    'pgdata/pg_dynshmem',
    'pgdata/pg_notify',
    'pgdata/pg_replslot',
    'pgdata/pg_serial',
    'pgdata/pg_snapshots',
    'pgdata/pg_stat_tmp',
    'pgdata/pg_subtrans',
    'pgdata/pg_wal',
    'pgdata/pg_wal/archive_status',
  ]);
  const { uid } = systemUser();
  assert.deepEqual([...new Set(members.map((member) => member.uid))], [uid]);
  assert.equal(members.filter(({ path }) => path === 'pgdata/global/pg_control').length, 1);
  const [finished] = await postgres.query('SELECT pg_walfile_name(pg_current_wal_insert_lsn()) > $1 AS finished', [entry.endWalSegment]);
  assert.equal(finished?.['finished'], true, 'the segment that the backup needs last is finished, so that it gets archived');
});

for (const version of ['embedded', '13'] as const) {
  test(`the ${version === '13' ? 'oldest' : 'newest'} PostgreSQL is backed up and recovered too, with small segments`, async () => {
    await using other = await TestPostgres.start({ version, initdb: ['--wal-segsize=1'], settings: { wal_keep_size: '64MB' } });
    await other.query('CREATE TABLE words AS SELECT i FROM generate_series(1, 1000) AS i');
    for (const mode of ['local-tar', 'stream'] as const) {
      await using bench = await BackupBench.open();
      const entry = await takeBasebackup(bench.job(other, { mode }), bench.deps, never);
      const { members } = await membersOf(bench, entry);
      const target = await bench.directory('copy');
      await unpackMembers(members, target);
      await copyWal(other, join(target, 'data'));
      await using recovered = await TestPostgres.startOn(join(target, 'data'), {}, { version });
      assert.deepEqual(await recovered.query('SELECT count(*)::int AS rows FROM words'), [{ rows: 1000 }]);
      const [finished] = await other.query('SELECT pg_walfile_name(pg_current_wal_insert_lsn()) > $1 AS finished', [entry.endWalSegment]);
      assert.equal(finished?.['finished'], true);
    }
  });
}

test('a second backup in the same minute gets a name of its own', async () => {
  await using bench = await BackupBench.open();
  const clock = { ...bench.deps.clock, now: () => new Date('2026-11-23T01:57:00Z') };
  const names: string[] = [];
  for (const mode of ['local-tar', 'pipe'] as const) {
    names.push((await takeBasebackup(bench.job(postgres, { mode }), { ...bench.deps, clock }, never)).name);
  }
  assert.deepEqual(names, ['2026-11-23_01-57_0', '2026-11-23_01-57_1']);
});

test('v1 has the manifest first, the control file and the label last', async () => {
  await using bench = await BackupBench.open();
  const entry = await takeBasebackup(bench.job(postgres, { format: 'pghoard-bb-v1' }), bench.deps, never);
  const paths = (await openStoredArchive(bench.store, entry.key)).map(({ path }) => path);
  assert.equal(paths[0], '.pghoard_tar_metadata.json');
  assert.deepEqual(paths.slice(-2), ['pgdata/global/pg_control', 'pgdata/backup_label']);
  assert.equal(entry.format, 'pghoard-bb-v1');
  assert.equal(entry.key, `site/basebackup/${entry.name}`);
});

test('a role that may only start and stop backups suffices', async () => {
  await using bench = await BackupBench.open();
  await postgres.query(`CREATE ROLE backup LOGIN`);
  await postgres.query('GRANT EXECUTE ON FUNCTION pg_backup_start(text, boolean), pg_backup_stop(boolean) TO backup');
  const nodes = [{ host: '127.0.0.1', port: String(postgres.port), user: 'backup', dbname: 'postgres' }];
  const entry = await takeBasebackup(bench.job(postgres, { nodes }), bench.deps, never);
  const [finished] = await postgres.query('SELECT pg_walfile_name(pg_current_wal_insert_lsn()) > $1 AS finished', [entry.endWalSegment]);
  assert.equal(finished?.['finished'], true);
});

test('a role that may not is told what it needs', async () => {
  await using bench = await BackupBench.open();
  await postgres.query('CREATE ROLE nobody_in_particular LOGIN');
  const nodes = [{ host: '127.0.0.1', port: String(postgres.port), user: 'nobody_in_particular', dbname: 'postgres' }];
  const failure = takeBasebackup(bench.job(postgres, { nodes }), bench.deps, never);
  await assert.rejects(failure, (error) => isOperatorError(error, 'backup-refused') && /EXECUTE on pg_backup_start/.test(error.hint ?? ''));
  assert.deepEqual([await bench.storedKeys(), await bench.spooled()], [[], []]);
});

test('another data directory than the one of the server is refused', async () => {
  await using bench = await BackupBench.open();
  await using other = await TestPostgres.start();
  const failure = takeBasebackup(bench.job(postgres, { dataDirectory: other.dataDirectory }), bench.deps, never);
  await assert.rejects(failure, (error) => isOperatorError(error, 'data-directory-mismatch'));
  assert.deepEqual([await bench.storedKeys(), await bench.spooled()], [[], []]);
});

test('two tablespaces come back with their contents; the modes that cannot hold them refuse', async () => {
  await using bench = await BackupBench.open();
  for (const name of ['fast one', 'große']) {
    await postgres.query(`CREATE TABLESPACE "${name}" LOCATION '${await bench.directory(name)}'`);
    await postgres.query(`CREATE TABLE "in ${name}" TABLESPACE "${name}" AS SELECT generate_series(1, 1000) AS i`);
  }
  try {
    for (const kind of kinds.filter(({ mode }) => mode === 'local-tar' || mode === 'stream')) {
      const { mode, format } = kind;
      const entry = await takeBasebackup(bench.job(postgres, kind), bench.deps, never);
      const { members, manifest } = await membersOf(bench, entry);
      const target = await bench.directory(`${mode} ${format}`);
      await unpackMembers(members, target);
      assert.deepEqual(Object.keys(manifest?.tablespaces ?? {}).toSorted(), ['fast one', 'große']);
      for (const [name, { oid, path }] of Object.entries(manifest?.tablespaces ?? {})) {
        assert.equal(path, join(target, '..', name));
        const link = join(target, 'data/pg_tblspc', String(oid));
        await assert.rejects(lstat(link), { code: 'ENOENT' }, 'links are left to the restore');
        await symlink(join(target, 'tablespaces', name), link);
        if (format === 'pghoard-bb-v1') assert.equal(entry.metadata[`tablespace-name-${oid}`], name);
      }
      await copyWal(postgres, join(target, 'data'));
      await using recovered = await TestPostgres.startOn(join(target, 'data'));
      for (const name of ['fast one', 'große']) {
        assert.deepEqual(await recovered.query(`SELECT count(*)::int AS rows FROM "in ${name}"`), [{ rows: 1000 }]);
      }
    }
    for (const mode of ['basic', 'pipe'] as const) {
      for (const dataDirectory of [postgres.dataDirectory, undefined]) {
        const failure = takeBasebackup(bench.job(postgres, { mode, dataDirectory }), bench.deps, never);
        await assert.rejects(failure, (error) => isOperatorError(error) && /local-tar/.test(error.hint ?? ''), `${mode} ${dataDirectory}`);
      }
    }
    assert.deepEqual(await bench.spooled(), []);
  } finally {
    for (const name of ['fast one', 'große']) {
      await postgres.query(`DROP TABLE "in ${name}"`);
      await postgres.query(`DROP TABLESPACE "${name}"`);
    }
  }
});

test('a server that cannot archive its WAL does not hold up the end of a base backup', async () => {
  await using bench = await BackupBench.open();
  await using other = await TestPostgres.start({ settings: { archive_mode: 'on', archive_command: '/bin/false' } });
  for (const mode of ['local-tar', 'stream'] as const) {
    const entry = await takeBasebackup(bench.job(other, { mode }), bench.deps, AbortSignal.timeout(30_000));
    const [status] = await other.query('SELECT last_archived_wal FROM pg_stat_archiver');
    assert.equal(status?.['last_archived_wal'], null, `${mode}: ${entry.name} is complete, though nothing was archived`);
  }
});
