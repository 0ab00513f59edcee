import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { isOperatorError } from '../lib/errors.ts';
import { type FoundEntry, findEmptiedDirectories, type Tablespace, walkCluster } from './walk.ts';

async function makeTree(t: TestContext, names: readonly string[]): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'pghoard-walk-'));
  t.after(() => rm(root, { recursive: true }));
  for (const name of names) await add(root, name);
  return root;
}

/** `a/` is a directory, `a -> b` a link, `a` a file with its own name in it. */
async function add(root: string, name: string): Promise<void> {
  const [path = '', target] = name.split(' -> ');
  const place = join(root, path);
  await mkdir(path.endsWith('/') ? place : dirname(place), { recursive: true });
  if (target !== undefined) await symlink(target.replace('ROOT', root), place);
  else if (!path.endsWith('/')) await writeFile(place, path);
}

interface Walked {
  readonly found: readonly FoundEntry[];
  readonly paths: readonly string[];
  readonly skipped: readonly string[];
}

async function walk(root: string, tablespaces: readonly Tablespace[] = []): Promise<Walked> {
  const skipped: string[] = [];
  const options = {
    major: '15',
    tablespaces,
    onSkipped: (path: string, why: string) => void skipped.push(`${path.slice(root.length + 1)}: ${why}`),
  };
  const found: FoundEntry[] = [];
  for await (const entry of walkCluster(join(root, 'data'), options)) found.push(entry);
  return { found, skipped, paths: found.map(({ path, type }) => (type === 'directory' ? `${path}/` : path)) };
}

test('a cluster comes out in order, directories before their contents, without what PostgreSQL makes anew', async (t) => {
  const root = await makeTree(t, [
    'data/PG_VERSION',
    'data/base/5/1259',
    'data/base/5/1259_fsm',
    'data/base/5/16384',
    'data/base/5/16384.1',
    'data/base/5/16384_fsm',
    'data/base/5/16384_init',
    'data/base/5/16385',
    'data/base/5/pg_internal.init',
    'data/base/5/t3_16390',
    'data/base/pgsql_tmp/pgsql_tmp1.0',
    'data/global/1213',
    'data/global/pg_control',
    'data/pg_replslot/mine/state',
    'data/pg_snapshots/00000003-1',
    'data/pg_tblspc/',
    'data/pg_wal/000000010000000000000001',
    'data/pg_xact/0000',
    'data/postmaster.pid',
    'data/standby.signal',
  ]);
  const { paths, skipped } = await walk(root);
  assert.deepEqual(paths, [
    'pgdata/PG_VERSION',
    'pgdata/base/',
    'pgdata/base/5/',
    'pgdata/base/5/1259',
    'pgdata/base/5/1259_fsm',
    'pgdata/base/5/16384_init',
    'pgdata/base/5/16385',
    'pgdata/global/',
    'pgdata/global/1213',
    'pgdata/pg_tblspc/',
    'pgdata/pg_xact/',
    'pgdata/pg_xact/0000',
  ]);
  assert.deepEqual(skipped, []);
});

test('entries tell size, mode and where to read', async (t) => {
  const root = await makeTree(t, ['data/PG_VERSION']);
  const { found } = await walk(root);
  assert.equal(found.length, 1);
  const [version] = found;
  assert.deepEqual(
    { ...version, mtime: 0 },
    { ...version, path: 'pgdata/PG_VERSION', source: join(root, 'data/PG_VERSION'), type: 'file', size: 15, mtime: 0 },
  );
  assert.ok(Number.isInteger(version?.mtime));
});

test('tablespaces outside come after PGDATA, with their own major version only; their links are not archived', async (t) => {
  const root = await makeTree(t, [
    'data/base/5/1259',
    'data/pg_tblspc/16390 -> ROOT/fast disk',
    'data/pg_tblspc/16391 -> ROOT/gone',
    'fast disk/PG_14_202107181/5/1',
    'fast disk/PG_15_202209061/5/16400',
    'fast disk/PG_15_202209061/5/16401_init',
    'fast disk/PG_15_202209061/5/16401',
    'fast disk/lost+found/',
  ]);
  const { paths } = await walk(root, [{ name: 'schnelle Plätze', oid: 16390, path: join(root, 'fast disk') }]);
  assert.deepEqual(paths, [
    'pgdata/base/',
    'pgdata/base/5/',
    'pgdata/base/5/1259',
    'pgdata/pg_tblspc/',
    'tablespaces/schnelle Plätze/',
    'tablespaces/schnelle Plätze/PG_15_202209061/',
    'tablespaces/schnelle Plätze/PG_15_202209061/5/',
    'tablespaces/schnelle Plätze/PG_15_202209061/5/16400',
    'tablespaces/schnelle Plätze/PG_15_202209061/5/16401_init',
  ]);
});

test('a tablespace in place is a part of PGDATA, one that lies inside PGDATA is taken only once', async (t) => {
  const root = await makeTree(t, [
    'data/inside/PG_15_1/5/16500',
    'data/pg_tblspc/16390/PG_15_1/5/16400',
    'data/pg_tblspc/16390/PG_15_1/5/16401',
    'data/pg_tblspc/16390/PG_15_1/5/16401_init',
    'data/pg_tblspc/16391 -> ROOT/data/inside',
  ]);
  const { paths } = await walk(root, [{ name: 'inside', oid: 16391, path: join(root, 'data/inside') }]);
  assert.deepEqual(
    paths.filter((path) => !path.endsWith('/')),
    ['pgdata/pg_tblspc/16390/PG_15_1/5/16400', 'pgdata/pg_tblspc/16390/PG_15_1/5/16401_init', 'tablespaces/inside/PG_15_1/5/16500'],
  );
});

test('links are kept as links and not descended; data of the cluster that was moved elsewhere is read through them', async (t) => {
  const root = await makeTree(t, [
    'big/5/1259',
    'big/5/loop -> ROOT/big',
    'data/base/1/1 -> ROOT/file',
    'data/base/1/2 -> 3',
    'data/base/1/3',
    'data/base/5 -> ROOT/big/5',
    'data/base/6 -> ROOT/nowhere',
    'data/log -> /var/log/postgresql',
    'data/conf.d -> ROOT/elsewhere',
    'elsewhere/extra.conf',
    'file',
  ]);
  const { found } = await walk(root);
  const told = found.map(({ path, type, linkTarget }) => [path, linkTarget?.replace(root, 'ROOT') ?? type]);
  assert.deepEqual(told, [
    ['pgdata/base', 'directory'],
    ['pgdata/base/1', 'directory'],
    ['pgdata/base/1/1', 'file'],
    ['pgdata/base/1/2', '3'],
    ['pgdata/base/1/3', 'file'],
    ['pgdata/base/5', 'directory'],
    ['pgdata/base/5/1259', 'file'],
    ['pgdata/base/5/loop', 'ROOT/big'],
    ['pgdata/base/6', 'ROOT/nowhere'],
    ['pgdata/conf.d', 'ROOT/elsewhere'],
    ['pgdata/log', '/var/log/postgresql'],
  ]);
});

test('what is neither file, directory nor link is noted', async (t) => {
  const root = await makeTree(t, ['data/PG_VERSION']);
  execFileSync('mkfifo', [join(root, 'data/pipe')]);
  const { paths, skipped } = await walk(root);
  assert.deepEqual(paths, ['pgdata/PG_VERSION']);
  assert.deepEqual(skipped, ['data/pipe: it is neither a file, a directory nor a link']);
});

test('a database dropped during the walk is no failure', async (t) => {
  const root = await makeTree(t, ['data/base/5/1259', 'data/base/6/1259']);
  const seen: string[] = [];
  for await (const { path } of walkCluster(join(root, 'data'), { major: '15', tablespaces: [], onSkipped: () => {} })) {
    seen.push(path);
    if (path === 'pgdata/base/5') await rm(join(root, 'data/base/5'), { recursive: true });
  }
  assert.deepEqual(seen, ['pgdata/base', 'pgdata/base/5', 'pgdata/base/6', 'pgdata/base/6/1259']);
});

test('a directory with more entries than one batch comes out whole', async (t) => {
  const names = Array.from({ length: 700 }, (_, i) => `data/base/5/${16384 + i}`);
  const { paths } = await walk(await makeTree(t, names));
  assert.deepEqual(paths.filter((path) => !path.endsWith('/')).toSorted(), names.map((name) => name.replace('data', 'pgdata')).toSorted());
});

test('a missing data directory is an error', async (t) => {
  const root = await makeTree(t, []);
  await assert.rejects(walk(root), (error) => isOperatorError(error, 'file-unreadable'));
});

test('of the directories that are kept empty only those that exist are named, pg_wal as a directory even where it is a link', async (t) => {
  const root = await makeTree(t, ['data/pg_notify/0000', 'data/pg_wal -> ROOT/wal', 'data/pg_subtrans/', 'wal/archive_status/x.done']);
  const found = await findEmptiedDirectories(join(root, 'data'));
  assert.deepEqual(
    found.map(({ path, type }) => [path, type]),
    [
      ['pgdata/pg_notify', 'directory'],
      ['pgdata/pg_subtrans', 'directory'],
      ['pgdata/pg_wal', 'directory'],
      ['pgdata/pg_wal/archive_status', 'directory'],
    ],
  );
});
