import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { assertUnstartable, makeRestoreBench } from '../../test/support/restore-bench.ts';
import { clusterMembers, type TestMember } from '../../test/support/test-backups.ts';
import { CodecPool } from '../codec/pool.ts';
import { isOperatorError } from '../lib/errors.ts';

const pool = new CodecPool(2);
after(() => pool.close());
const makeBench = (privateKeys?: Record<string, string>) => makeRestoreBench(pool, privateKeys);

const outside = '../outside';
const hostile: [what: string, members: TestMember[], code: string][] = [
  ['a name that climbs out', [{ path: 'pgdata/../../outside/x', content: 'x' }], 'tar-unsafe'],
  ['an absolute name', [{ path: '/tmp/pghoard-must-not-exist', content: 'x' }], 'tar-unsafe'],
  ['an unknown tablespace', [{ path: 'tablespaces/other/x', content: 'x' }], 'tar-unsafe'],
  ['the name of the marker', [{ path: 'pgdata/pghoard_restore_incomplete', content: 'x' }], 'tar-unsafe'],
  ['the control file as a link', [{ path: 'pgdata/global/pg_control', type: 'symlink', linkTarget: outside }], 'tar-unsafe'],
  [
    'a file where a directory is',
    [
      { path: 'pgdata/a/b', content: 'x' },
      { path: 'pgdata/a', content: 'x' },
    ],
    'tar-unsafe',
  ],
  [
    'a file below a file',
    [
      { path: 'pgdata/a', content: 'x' },
      { path: 'pgdata/a/b', content: 'x' },
    ],
    'tar-unsafe',
  ],
  ['a file in place of the directory itself', [{ path: 'pgdata', content: 'x' }], 'tar-unsafe'],
  ['a hard link to a file outside', [{ path: 'pgdata/a', type: 'hardlink', linkTarget: '/etc/passwd' }], 'tar-unsafe'],
  ['a hard link that climbs out', [{ path: 'pgdata/a', type: 'hardlink', linkTarget: 'pgdata/../../outside/victim' }], 'tar-unsafe'],
  ['a hard link to nothing', [{ path: 'pgdata/a', type: 'hardlink', linkTarget: 'pgdata/b' }], 'tar-unsafe'],
  ['a link where a tablespace link must be, as a directory', [{ path: 'pgdata/pg_tblspc/16395', type: 'directory' }], 'tar-unsafe'],
];
for (const [what, members, code] of hostile) {
  test(`refuses an archive with ${what}, by name, and nothing can be started`, async () => {
    await using bench = await makeBench();
    await mkdir(join(bench.directory, 'outside'));
    await writeFile(join(bench.directory, 'outside/victim'), 'untouched');
    const tablespaces = { fast: { oid: 16_395, path: join(bench.directory, 'fast') } };
    await mkdir(tablespaces.fast.path);
    await bench.backups.addChunked({ chunks: [clusterMembers('pgdata/'), members], tablespaces });
    await assert.rejects(
      bench.restore(),
      (error) => isOperatorError(error, code) && error.message.includes(`'${members.at(-1)?.path.replace(/^pgdata\/(?=pg_tblspc)/, '')}'`),
    );
    await assertUnstartable(bench.target);
    assert.equal(await readFile(join(bench.directory, 'outside/victim'), 'utf8'), 'untouched');
    assert.equal(existsSync(join(bench.directory, 'outside/x')), false);
  });
}

test('nothing is written through a link of the archive, whatever order and objects they come in', async () => {
  await using bench = await makeBench();
  await mkdir(join(bench.directory, 'outside'));
  const link: TestMember = { path: 'pgdata/pg_wal', type: 'symlink', linkTarget: join(bench.directory, 'outside') };
  const through: TestMember = { path: 'pgdata/pg_wal/evil', content: 'x' };
  const nested: TestMember[] = [
    { path: 'pgdata/d', type: 'symlink', linkTarget: join(bench.directory, 'outside') },
    { path: 'pgdata/d/e', type: 'symlink', linkTarget: 'x' },
  ];
  await bench.backups.addChunked({ chunks: [[link, through, ...nested], clusterMembers('pgdata/'), [link]] });
  await bench.restore();
  assert.equal(existsSync(join(bench.directory, 'outside/evil')), false);
  assert.equal(existsSync(join(bench.directory, 'outside/e')), false);
  assert.equal(await readFile(join(bench.target, 'pg_wal/evil'), 'utf8'), 'x');
});

test('a hard link within the archive becomes a file of its own', async () => {
  await using bench = await makeBench();
  const members: TestMember[] = [
    { path: 'pgdata/a', content: 'same' },
    { path: 'pgdata/b', type: 'hardlink', linkTarget: 'pgdata/a' },
  ];
  await bench.backups.addChunked({ chunks: [[...clusterMembers('pgdata/'), ...members]] });
  await bench.restore();
  assert.equal(await readFile(join(bench.target, 'b'), 'utf8'), 'same');
  assert.equal((await stat(join(bench.target, 'b'))).nlink, 1);
});
