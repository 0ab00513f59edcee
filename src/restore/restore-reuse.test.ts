import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readdir, readFile, readlink, rm, stat, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { assertComplete, assertUnstartable, makeRestoreBench, type RestoreBench } from '../../test/support/restore-bench.ts';
import { clusterMembers, controlFileBytes, type TestMember } from '../../test/support/test-backups.ts';
import { claimSite } from '../catalog/site-identity.ts';
import { CodecPool } from '../codec/pool.ts';

const pool = new CodecPool(2);
after(() => pool.close());

const table = Buffer.alloc(300_000, 'a page of a table ');
const members: TestMember[] = [
  ...clusterMembers('pgdata/'),
  { path: 'pgdata/base/1/20000', content: table },
  { path: 'pgdata/base/1/20001', content: table },
  { path: 'pgdata/base/1/20002', content: table },
  { path: 'pgdata/base/1/20003', content: '' },
  { path: 'pgdata/logs', type: 'symlink', linkTarget: '/var/log/pg' },
];
const tablespaceFile = 'PG_15_202209061/5/16390';
const tablespaceMembers: TestMember[] = [{ path: `tablespaces/fast/${tablespaceFile}`, content: table }];

/** A restored cluster with a tablespace, in which then somebody has been. */
async function restoredBench(): Promise<RestoreBench & { readonly fast: string; reuse(): Promise<unknown> }> {
  const bench = await makeRestoreBench(pool);
  await bench.backups.addChunked({ chunks: [members, tablespaceMembers], tablespaces: { fast: { path: '/nowhere', oid: 16_395 } } });
  const fast = join(bench.directory, 'fast');
  await mkdir(fast);
  const tablespaces = { directories: new Map([['fast', fast]]) };
  await bench.restore({ tablespaces });
  return { ...bench, fast, reuse: () => bench.restore({ tablespaces, reuse: true }) };
}

async function contentsOf(root: string): Promise<Map<string, string>> {
  const contents = new Map<string, string>();
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const content = entry.isFile()
      ? (await readFile(path)).toString('latin1')
      : entry.isSymbolicLink()
        ? await readlink(path)
        : 'directory';
    contents.set(path.slice(root.length), `${(await stat(entry.isSymbolicLink() ? root : path)).mode} ${content}`);
  }
  return contents;
}

test('what was changed, truncated, grown, removed or added is as in the backup again; what was not stays the same file', async () => {
  await using bench = await restoredBench();
  const { target, fast } = bench;
  const before = [await contentsOf(target), await contentsOf(fast)];
  const inode = async (path: string) => (await stat(path)).ino;
  const untouched = join(target, 'base/1/1259');
  const changed = join(target, 'base/1/20000');
  const inodes = [await inode(untouched), await inode(changed), await inode(join(fast, tablespaceFile))];

  const content = Buffer.from(table);
  content[100_000] = 1;
  await writeFile(changed, content);
  await utimes(changed, 1_700_000_000, 1_700_000_000); // neither size nor time tells
  await truncate(join(target, 'base/1/20001'), 100_000);
  await writeFile(join(target, 'base/1/20003'), 'grown');
  await rm(join(target, 'base/1/20002'));
  await chmod(untouched, 0o644);
  await writeFile(join(target, 'base/1/99999'), 'of a table that is not in the backup');
  await mkdir(join(target, 'base/7'));
  await writeFile(join(target, 'base/7/1259'), 'of a database that is not in the backup');
  await writeFile(join(target, 'pg_wal/000000010000000000000009'), 'WAL');
  await writeFile(join(target, 'postmaster.pid'), '999999999\n');
  await rm(join(target, 'global'), { recursive: true });
  await writeFile(join(fast, 'PG_15_202209061/5/16391'), 'extra');

  await bench.reuse();
  await assertComplete(target);
  assert.deepEqual([await contentsOf(target), await contentsOf(fast)], before);
  assert.deepEqual([await inode(untouched), await inode(changed), await inode(join(fast, tablespaceFile))], inodes);
});

test('links in the old directory lead nowhere', async () => {
  await using bench = await restoredBench();
  const elsewhere = join(bench.directory, 'elsewhere');
  await mkdir(elsewhere);
  await writeFile(join(elsewhere, '20000'), 'precious');
  await writeFile(join(elsewhere, '1259'), 'precious');
  await rm(join(bench.target, 'base/1'), { recursive: true });
  await symlink(elsewhere, join(bench.target, 'base/1'));
  await rm(join(bench.target, 'global/1262'));
  await symlink(join(elsewhere, '20000'), join(bench.target, 'global/1262'));
  await bench.reuse();
  await assertComplete(bench.target);
  assert.deepEqual((await readdir(elsewhere)).toSorted(), ['1259', '20000']);
  assert.equal(await readFile(join(elsewhere, '20000'), 'utf8'), 'precious');
  assert.equal((await readFile(join(bench.target, 'global/1262'))).length, 8192);
});

test('a directory that a server runs on, and one of something else, are not touched', async () => {
  await using bench = await restoredBench();
  await writeFile(join(bench.target, 'postmaster.pid'), `${process.ppid}\n`);
  await assert.rejects(bench.reuse(), { code: 'target-in-use' });
  await assertComplete(bench.target);
  const home = join(bench.directory, 'home');
  await mkdir(home);
  await writeFile(join(home, '.bashrc'), '');
  await assert.rejects(bench.restore({ reuse: true, dataDirectory: home }), { code: 'target-not-recognised' });
  assert.deepEqual(await readdir(home), ['.bashrc']);
});

test('another cluster is not touched; one whose control file is damaged is', async () => {
  await using bench = await restoredBench();
  const control = join(bench.target, 'global/pg_control');
  const identity = { segmentBytes: 16 * 1024 * 1024, majors: [], since: new Date('2999-01-01T00:00:00Z') };
  await claimSite(bench.backups.catalog, { ...identity, systemIdentifier: 7_711_144_717_028_197_640n });
  await writeFile(control, controlFileBytes(42n));
  await assert.rejects(bench.reuse(), { code: 'cluster-mismatch', message: /identifier is 42, not/ });
  assert.ok((await readFile(control)).equals(controlFileBytes(42n)));
  await writeFile(control, Buffer.alloc(8192, 1));
  await bench.reuse();
  await assertComplete(bench.target);
});

test('a tablespace that the old data directory has no link to is not touched', async () => {
  await using bench = await restoredBench();
  await rm(join(bench.target, 'pg_tblspc'), { recursive: true });
  await assert.rejects(bench.reuse(), { code: 'target-not-recognised', message: /not the tablespace/ });
  assert.ok(existsSync(join(bench.fast, tablespaceFile)));
  await assertComplete(bench.target);
});

test('one that fails in the middle cannot be started, and goes on with what it had', async () => {
  await using bench = await restoredBench();
  const before = await contentsOf(bench.target);
  await writeFile(join(bench.target, 'base/1/99999'), 'extra');
  const { store, keys } = bench.backups;
  const chunk = keys.chunk('2026-11-22_10-00_0', 2);
  const whole = await readFile(bench.backups.fileOf(chunk));
  await writeFile(bench.backups.fileOf(chunk), Buffer.alloc(whole.length));
  await assert.rejects(bench.reuse(), { code: 'object-corrupt' });
  await assertUnstartable(bench.target);
  await writeFile(bench.backups.fileOf(chunk), whole);
  // The command says nothing of it any more.
  await bench.restore({ tablespaces: { directories: new Map([['fast', bench.fast]]) } });
  await assertComplete(bench.target);
  assert.deepEqual(await contentsOf(bench.target), before);
  await store.close();
});
