import assert from 'node:assert/strict';
import { access, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeTemporaryDirectory } from '../../test/support/temporary-directory.ts';
import { isOperatorError } from '../lib/errors.ts';
import { type BrokenPair, type PendingWal, Spool } from './spool.ts';

const one = '000000010000000000000001';
const two = '000000010000000000000002';

async function pendingOf(spool: Spool): Promise<{ found: PendingWal[]; broken: BrokenPair[] }> {
  const found: PendingWal[] = [];
  const broken: BrokenPair[] = [];
  for await (const pair of spool.pendingWal((bad) => broken.push(bad))) found.push(pair);
  return { found, broken };
}

test('directories lie where the original has them, below the prefix', async () => {
  await using at = await makeTemporaryDirectory();
  const spool = new Spool(at.path, 'some/site');
  await spool.ensure();
  await spool.ensure();
  assert.deepEqual((await readdir(join(at.path, 'some/site'))).toSorted(), [
    'basebackup',
    'basebackup_incoming',
    'timeline',
    'xlog',
    'xlog_incoming',
    'xlog_prefetch',
  ]);
  assert.equal(spool.walFile(one), join(at.path, 'some/site/xlog', one));
  assert.equal(spool.historyFile('00000002.history'), join(at.path, 'some/site/timeline/00000002.history'));
  assert.equal(spool.basebackupDirectory('2026-11-22_23-39_0'), join(at.path, 'some/site/basebackup_incoming/2026-11-22_23-39_0'));
});

test('a spool that cannot be made says where and what to check', async () => {
  await using at = await makeTemporaryDirectory();
  await writeFile(join(at.path, 'file'), '');
  await assert.rejects(new Spool(join(at.path, 'file'), 'site').ensure(), { code: 'spool-unusable', hint: /backup_location/ });
});

test('complete pairs come back after a crash, segments in order, then history files', async () => {
  await using at = await makeTemporaryDirectory();
  const spool = new Spool(at.path, 'site');
  await spool.ensure();
  for (const [path, metadata] of [
    [spool.walFile(two), { n: '2' }],
    [spool.historyFile('00000002.history'), { n: '3' }],
    [spool.walFile(one), { n: '1' }],
  ] as const) {
    const temporary = spool.temporaryFor(path);
    await writeFile(temporary, 'sealed');
    await spool.publish(temporary, path, metadata);
  }
  await writeFile(spool.walFile('000000010000000000000003'), 'without metadata');
  await writeFile(spool.walFile('junk'), 'junk');
  await writeFile(`${spool.walFile('junk')}.metadata`, '{}');
  const { found, broken } = await pendingOf(spool);
  assert.deepEqual(
    found.map(({ name, metadata }) => [name, metadata]),
    [
      [one, { n: '1' }],
      [two, { n: '2' }],
      ['00000002.history', { n: '3' }],
    ],
  );
  assert.equal(await readFile(found[0]?.path ?? '', 'utf8'), 'sealed');
  assert.deepEqual(broken, []);
  for (const { path } of found) await spool.remove(path);
  assert.deepEqual((await pendingOf(spool)).found, []);
});

test('a pair that the original left is read as ours', async () => {
  await using at = await makeTemporaryDirectory();
  const spool = new Spool(at.path, 'site');
  await spool.ensure();
  await writeFile(spool.walFile(one), 'sealed');
  await writeFile(`${spool.walFile(one)}.metadata`, '{"pg-version": 90504, "compression-algorithm": "snappy"}');
  assert.deepEqual((await pendingOf(spool)).found[0]?.metadata, { 'pg-version': '90504', 'compression-algorithm': 'snappy' });
});

test('a pair with unreadable metadata is told of, and hides no other', async () => {
  await using at = await makeTemporaryDirectory();
  const spool = new Spool(at.path, 'site');
  await spool.ensure();
  for (const name of [one, two]) await writeFile(spool.walFile(name), 'sealed');
  await writeFile(`${spool.walFile(one)}.metadata`, '{"half": ');
  await writeFile(`${spool.walFile(two)}.metadata`, '{}');
  const { found, broken } = await pendingOf(spool);
  assert.deepEqual(
    found.map(({ name }) => name),
    [two],
  );
  assert.equal(broken[0]?.path, spool.walFile(one));
  assert.ok(isOperatorError(broken[0]?.error, 'spool-damaged'));
});

test('a spool that is not there has nothing pending and no debris', async () => {
  await using at = await makeTemporaryDirectory();
  const spool = new Spool(join(at.path, 'never'), 'made');
  assert.deepEqual(await pendingOf(spool), { found: [], broken: [] });
  await spool.removeDebris();
});

test('debris goes, whole files stay', async () => {
  await using at = await makeTemporaryDirectory();
  const spool = new Spool(at.path, 'site');
  await spool.ensure();
  const stays = [
    spool.walFile(one),
    `${spool.walFile(one)}.metadata`,
    spool.walFile(two),
    join(spool.walIncomingDirectory, `${two}.partial`),
  ];
  const goes = [
    spool.temporaryFor(spool.walFile(two)),
    `${spool.walFile(two)}a8x9q2.tmp-compress`,
    `${spool.walFile('000000010000000000000009')}.metadata`,
    `${spool.walFile(one)}.metadata1x2y.metadata_tmp`,
    spool.temporaryFor(spool.historyFile('00000002.history')),
    join(spool.prefetchDirectory, one),
    join(spool.basebackupDirectory('2026-11-22_23-39_0'), '2026-11-22_23-39_0.00000001.pghoard'),
    spool.temporaryFor(spool.basebackupFile('2026-11-22_23-39_0')),
  ];
  await mkdir(spool.basebackupDirectory('2026-11-22_23-39_0'));
  for (const path of [...stays, ...goes]) await writeFile(path, '{}');
  await spool.removeDebris();
  for (const path of stays) await access(path);
  for (const path of goes) await assert.rejects(access(path), { code: 'ENOENT' }, path);
  // Empty, it still says that the store may have chunks of this backup.
  assert.deepEqual(await readdir(spool.basebackupsIncomingDirectory), ['2026-11-22_23-39_0']);
});
