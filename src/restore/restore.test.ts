import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { lstat, mkdir, readFile, readlink, stat, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { assertComplete, assertUnstartable, makeRestoreBench } from '../../test/support/restore-bench.ts';
import { clusterMembers, controlMembersAt, TestBackups, type TestMember } from '../../test/support/test-backups.ts';
import { preservedUntil } from '../catalog/preservation.ts';
import { claimSite } from '../catalog/site-identity.ts';
import { CodecPool } from '../codec/pool.ts';
import { type Clock, systemClock } from '../lib/clock.ts';
import { isOperatorError } from '../lib/errors.ts';
import { sourceOfBytes } from '../storage/object-source.ts';

const pool = new CodecPool(2);
after(() => pool.close());
const makeBench = (privateKeys?: Record<string, string>) => makeRestoreBench(pool, privateKeys);

const rawMembers = [...controlMembersAt('').slice(1), ...clusterMembers(''), ...controlMembersAt('').slice(0, 1)];
const tablespaceMembers: TestMember[] = [
  { path: 'tablespaces/fast', type: 'directory' },
  { path: 'tablespaces/fast/PG_15_202209061/5/16390', content: 'in the tablespace' },
];
const manifestMember: TestMember = {
  path: '.pghoard_tar_metadata.json',
  content: '{"tablespaces":{"fast":{"path":"/nowhere","oid":16395}}}',
};
const v1Metadata = { format: 'pghoard-bb-v1', 'tablespace-name-16395': 'fast', 'tablespace-path-16395': '/nowhere' };
const v1Files = [...clusterMembers('pgdata/'), { path: 'pgdata/pg_tblspc', type: 'directory' as const }, ...tablespaceMembers];
const [v1Control, v1Label] = controlMembersAt('pgdata/') as [TestMember, TestMember];

const formats: [what: string, add: (backups: TestBackups) => Promise<unknown>, tablespace: boolean][] = [
  ['a raw tar of pg_basebackup', (backups) => backups.addSingle({ members: rawMembers }), false],
  [
    'a raw tar with paths that begin with ./',
    (backups) => backups.addSingle({ members: rawMembers.map((m) => ({ ...m, path: `./${m.path}` })) }),
    false,
  ],
  [
    'pghoard-bb-v1 as 1.4 ordered it',
    (backups) =>
      backups.addSingle({ members: [manifestMember, v1Label, ...v1Files, v1Control], metadata: v1Metadata, compression: 'lzma' }),
    true,
  ],
  [
    'pghoard-bb-v1 as 1.5 ordered it',
    (backups) => backups.addSingle({ members: [manifestMember, ...v1Files, v1Control, v1Label], metadata: v1Metadata }),
    true,
  ],
  [
    'pghoard-bb-v2',
    (backups) =>
      backups.addChunked({
        chunks: [clusterMembers('pgdata/'), tablespaceMembers],
        tablespaces: { fast: { path: '/nowhere', oid: 16_395 } },
        compression: 'zstd',
      }),
    true,
  ],
];
for (const [what, add, tablespace] of formats) {
  test(`restores ${what}`, async () => {
    await using bench = await makeBench();
    await add(bench.backups);
    const mapped = join(bench.directory, 'fast');
    await mkdir(mapped);
    const tablespaces = { directories: new Map(tablespace ? [['fast', mapped]] : []) };
    const result = await bench.restore({ tablespaces });
    await assertComplete(bench.target);
    assert.ok(result.files >= 7);
    assert.equal(bench.progress.report().bytes, bench.progress.report().totalBytes);
    if (!tablespace) return;
    assert.equal(await readlink(join(bench.target, 'pg_tblspc/16395')), mapped);
    assert.equal(await readFile(join(mapped, 'PG_15_202209061/5/16390'), 'utf8'), 'in the tablespace');
    assert.equal(existsSync(join(mapped, 'pghoard_restore_incomplete')), false);
  });
}

test('modes and times of files come back, strangers’ bits do not', async () => {
  await using bench = await makeBench();
  const odd: TestMember = { path: 'pgdata/odd', content: 'x', mode: 0o6755, mtime: 1_600_000_000 };
  await bench.backups.addChunked({ chunks: [[...clusterMembers('pgdata/'), odd]] });
  await bench.restore();
  const { mode, mtimeMs } = await stat(join(bench.target, 'odd'));
  assert.deepEqual([mode & 0o7777, mtimeMs], [0o755, 1_600_000_000_000]);
  assert.equal((await stat(join(bench.target, 'global/pg_control'))).mode & 0o777, 0o640);
});

test('root gives files the owner they had at the source, and those without one the same; others own what they restore', async () => {
  await using bench = await makeBench();
  const members = clusterMembers('pgdata/').map((member) => ({ ...member, uid: 4711, gid: 4712 }));
  const manifest: TestMember = { path: 'pgdata/backup_manifest', content: '{}', uid: 0o4000, gid: 0o2000 };
  await bench.backups.addChunked({ chunks: [[...members, manifest]] });
  await bench.restore();
  const owner = process.getuid?.() === 0 ? { uid: 4711, gid: 4712 } : { uid: process.getuid?.(), gid: process.getgid?.() };
  for (const name of [
    '',
    'PG_VERSION',
    'base/1',
    'global/pg_control',
    'backup_label',
    'pg_wal',
    'recovery.signal',
    'postgresql.auto.conf',
  ]) {
    const { uid, gid } = await stat(join(bench.target, name));
    assert.deepEqual({ uid, gid }, owner, name);
  }
});

test('settings of the source stay, its recovery does not; the new one is there', async () => {
  await using bench = await makeBench();
  const ofSource = ['standby.signal', 'postmaster.pid', 'recovery.conf'].map((name) => ({ path: `pgdata/${name}`, content: '1' }));
  await bench.backups.addChunked({ chunks: [[...clusterMembers('pgdata/'), ...ofSource]] });
  await bench.restore();
  assert.ok(existsSync(join(bench.target, 'recovery.signal')));
  for (const { path } of ofSource) assert.equal(existsSync(join(bench.target, path.slice('pgdata/'.length))), false, path);
  const autoConf = await readFile(join(bench.target, 'postgresql.auto.conf'), 'utf8');
  assert.match(autoConf, /^work_mem = '8MB'$/m);
  assert.match(autoConf, /^restore_command = 'fetch --mode restore --port 16000 --site main --output %p --xlog %f'$/m);
});

test('directories of other versions that the original leaves behind are not there', async () => {
  await using bench = await makeBench();
  await bench.backups.addChunked({ chunks: [clusterMembers('pgdata/')] });
  await bench.restore();
  for (const name of ['pg_xlog', 'pg_log', 'pg_snapshot']) assert.equal(existsSync(join(bench.target, name)), false, name);
  assert.ok(existsSync(join(bench.target, 'pg_wal/archive_status')));
});

test('a password for the daemon goes into a file of its own, not into restore_command', async () => {
  await using bench = await makeBench();
  await bench.backups.addChunked({ chunks: [clusterMembers('pgdata/')] });
  await bench.restore({}, { wal: { program: 'fetch', host: '127.0.0.1', port: 1, credentials: { username: 'u', password: 'secret' } } });
  assert.doesNotMatch(await readFile(join(bench.target, 'postgresql.auto.conf'), 'utf8'), /secret/);
  assert.equal(await readFile(join(bench.target, 'pghoard_restore_password'), 'utf8'), 'secret\n');
  assert.equal((await stat(join(bench.target, 'pghoard_restore_password'))).mode & 0o777, 0o600);
});

test('links of the source are made again, but not in place of what is in the backup', async () => {
  await using bench = await makeBench();
  const links: TestMember[] = [
    { path: 'pgdata/pg_log', type: 'symlink', linkTarget: '/var/log/pg' },
    { path: 'pgdata/logs', type: 'symlink', linkTarget: '/var/log/pg' },
    { path: 'pgdata/base', type: 'symlink', linkTarget: '/fast/base' },
  ];
  await bench.backups.addChunked({ chunks: [links, clusterMembers('pgdata/')] });
  const { advice } = await bench.restore();
  assert.equal(await readlink(join(bench.target, 'logs')), '/var/log/pg');
  assert.ok((await lstat(join(bench.target, 'base'))).isDirectory());
  assert.match(advice.join('\n'), /logs is a symbolic link to \/var\/log\/pg/);
});

test('a format that is not known is refused by name', async () => {
  await using bench = await makeBench();
  await bench.backups.addSingle({ members: rawMembers, metadata: { format: 'pghoard-delta-v9' } });
  await assert.rejects(
    bench.restore(),
    (error) => isOperatorError(error, 'basebackup-format-unsupported') && /pghoard-delta-v9/.test(error.message),
  );
});

test('a raw tar without the contents of its tablespaces is refused, unless the loss is accepted', async () => {
  await using bench = await makeBench();
  const map: TestMember = { path: 'tablespace_map', content: '16395 /live/tablespace\n' };
  await bench.backups.addSingle({ members: [map, ...rawMembers] });
  await assert.rejects(bench.restore(), (error) => isOperatorError(error, 'tablespace-missing') && /16395=/.test(error.hint ?? ''));
  const empty = join(bench.directory, 'empty');
  await mkdir(empty);
  await bench.restore({ overwrite: true, tablespaces: { directories: new Map([['16395', empty]]) } });
  assert.equal(await readlink(join(bench.target, 'pg_tblspc/16395')), empty);
  assert.equal(existsSync(join(bench.target, 'tablespace_map')), false);
});

test('an empty tablespace map stays, as backup_manifest may name it', async () => {
  await using bench = await makeBench();
  await bench.backups.addSingle({ members: [{ path: 'tablespace_map', content: '' }, ...rawMembers] });
  await bench.restore();
  assert.equal(await readFile(join(bench.target, 'tablespace_map'), 'utf8'), '');
});

test('an aborted restore says so with its reason and leaves nothing that starts', async () => {
  await using bench = await makeBench();
  await bench.backups.addChunked({ chunks: [clusterMembers('pgdata/')] });
  const controller = new AbortController();
  const reason = new Error('enough');
  const say = (message: string) => message.startsWith('Making') && controller.abort(reason);
  await assert.rejects(bench.restore({}, { say }, controller.signal), reason);
  await assertUnstartable(bench.target);
});

test('too little room is said before anything is touched', async () => {
  await using bench = await makeBench();
  await bench.backups.addChunked({ chunks: [clusterMembers('pgdata/')], metadata: { 'total-size-plain': '9000000000000000' } });
  await assert.rejects(bench.restore(), (error) => isOperatorError(error, 'disk-full'));
  assert.equal(existsSync(bench.target), false);
});

test('a request to preserve is stored while the restore runs, and taken back after it', async () => {
  await using bench = await makeBench();
  const [main] = await bench.backups.addChunked({ chunks: [clusterMembers('pgdata/')] });
  const preserveUntil = new Date('2026-12-18T10:20:30.123Z');
  const request = `main/preservation_request/${main.split('/').at(-1)}_2026-12-18 10:20:30.123000+00:00`;
  const found: string[] = [];
  const say = async () => void found.push((await bench.backups.store.head(request)).metadata['preserve-until'] ?? '');
  await bench.restore({ preserveUntil }, { say: (message) => void say().catch(() => found.push(message)) });
  assert.deepEqual(found, ['2026-12-18 10:20:30.123000+00:00']);
  await assert.rejects(bench.backups.store.head(request), (error) => isOperatorError(error, 'object-missing'));
  await bench.restore({ preserveUntil, overwrite: true, cancelPreserveOnSuccess: false });
  assert.equal((await bench.backups.store.head(request)).metadata['preserve-backup'], '2026-11-22_10-00_0.00000000.pghoard');
});

test('what is being restored is kept: for hours, renewed while it runs, and for a day of recovery once it is done', async () => {
  await using bench = await makeBench();
  await bench.backups.addChunked({ chunks: [clusterMembers('pgdata/')] });
  const startMs = Date.parse('2026-11-23T12:00:00Z');
  const hourMs = 3_600_000;
  let [ms, renewals] = [startMs, 0];
  // The hours pass while the first piece of the backup is being fetched.
  const clock: Clock = {
    ...systemClock,
    now: () => new Date(ms),
    sleep: async (delayMs, signal) => {
      if (renewals++ < 3) ms += delayMs;
      else await systemClock.sleep(hourMs, signal);
    },
  };
  const kept: number[] = [];
  const look = async () =>
    void kept.push(...[...(await preservedUntil(bench.backups.catalog)).values()].map((until) => (until.getTime() - ms) / hourMs));
  let looking: Promise<void> = Promise.resolve();
  await bench.restore({}, { clock, say: () => void (looking = looking.then(look)) });
  await looking;
  assert.ok(kept.length > 0 && kept.every((hours) => (hours >= 5 && hours <= 6) || hours === 24), kept.join());
  assert.equal(ms, startMs + 3 * hourMs);
  assert.deepEqual([...(await preservedUntil(bench.backups.catalog)).values()], [new Date(ms + 24 * hourMs)]);
  let requests = 0;
  for await (const _ of bench.backups.store.list(bench.backups.keys.preservationPrefix)) requests++;
  assert.equal(requests, 1, 'each takes the place of the one before');
});

test('a restore that fails leaves a request that runs out by itself', async () => {
  await using bench = await makeBench();
  const [, chunk] = await bench.backups.addChunked({ chunks: [clusterMembers('pgdata/')] });
  await bench.backups.store.delete(chunk ?? '');
  await assert.rejects(bench.restore());
  const [until] = [...(await preservedUntil(bench.backups.catalog)).values()];
  const hours = ((until?.getTime() ?? 0) - Date.now()) / 3_600_000;
  assert.ok(hours > 5.9 && hours <= 6, String(hours));
});

test('what lies among the backups and is none is told and does not hide the others', async () => {
  await using bench = await makeBench();
  await bench.backups.addChunked({ chunks: [clusterMembers('pgdata/')] });
  await bench.backups.addSingle({ name: 'garbage', members: [], metadata: { 'start-time': 'yesterday' } });
  await bench.restore();
  assert.match(bench.warnings.join('\n'), /garbage/);
  await assertComplete(bench.target);
});

test('a data directory that is a link is restored into what it points to', async () => {
  await using bench = await makeBench();
  const real = join(bench.directory, 'real');
  await mkdir(real, { mode: 0o755 });
  await symlink(real, bench.target);
  await bench.backups.addChunked({ chunks: [clusterMembers('pgdata/')] });
  const { dataDirectory } = await bench.restore();
  assert.equal(dataDirectory, real);
  await assertComplete(real);
});

test('a base backup of another cluster than the site is for is refused, unless it is from before anybody looked', async () => {
  const claim = async (bench: Awaited<ReturnType<typeof makeBench>>, since: Date, systemIdentifier = 42n) =>
    claimSite(bench.backups.catalog, { systemIdentifier, segmentBytes: 16 * 1024 * 1024, majors: [], since });
  {
    await using bench = await makeBench();
    await claim(bench, new Date('2020-01-01T00:00:00Z'));
    await bench.backups.addChunked({ chunks: [clusterMembers('pgdata/')] });
    await assert.rejects(bench.restore(), { code: 'cluster-mismatch', message: /identifier is 7711144717028197640, not 42/ });
    await assertUnstartable(bench.target);
  }
  {
    await using bench = await makeBench();
    await bench.backups.addChunked({ chunks: [clusterMembers('pgdata/')] });
    await claim(bench, new Date('2999-01-01T00:00:00Z'));
    await bench.restore();
    await assertComplete(bench.target);
    assert.match(bench.warnings.join(), /is of another cluster than site main now is for: .* stored before 2999/);
  }
  await using bench = await makeBench();
  await claim(bench, new Date('2020-01-01T00:00:00Z'), 7_711_144_717_028_197_640n);
  await bench.backups.addChunked({ chunks: [clusterMembers('pgdata/')] });
  await bench.restore();
  assert.deepEqual(bench.warnings, []);
});

test('an identity that cannot be read, as of a newer version, keeps nobody from restoring', async () => {
  await using bench = await makeBench();
  await bench.backups.addChunked({ chunks: [clusterMembers('pgdata/')] });
  const { store, keys } = bench.backups.catalog;
  await store.put(keys.identity, sourceOfBytes(Buffer.from('{"format": 2}')), { metadata: {} });
  await bench.restore();
  await assertComplete(bench.target);
});
