import assert from 'node:assert/strict';
import { mkdir, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { runProgram } from '../../src/lib/subprocess.ts';
import { sourceOfBytes } from '../../src/storage/object-source.ts';
import { runOurs } from '../support/commands.ts';
import { siteName, TestDaemon } from '../support/daemon.ts';
import { assertNoStackTrace, snapshotOf } from '../support/refusal.ts';
import { makeTemporaryDirectory } from '../support/temporary-directory.ts';
import { clusterMembers, TestBackups } from '../support/test-backups.ts';
import { waitFor } from '../support/wait-for.ts';

const notUtf8 = (text: string) => Buffer.concat([Buffer.from(text), Buffer.from([0xff, 0xfe, 0x80])]);
const inDirectory = (directory: string, name: Buffer) => Buffer.concat([Buffer.from(`${directory}/`), name]);

/** What a store meets in its life: editors, file managers, people, half copies, other tools. Returns the names that get a note. */
async function litter(directory: string): Promise<readonly string[]> {
  await mkdir(directory, { recursive: true });
  const at = (name: string) => join(directory, name);
  for (const name of [
    '.DS_Store',
    '.~lock.x#',
    'Thumbs.db',
    'lone',
    'with space',
    'new\nline',
    'ünïcödé-🐘',
    '*',
    '-rf',
    "'; DROP TABLE x",
    '%00',
    'alone.metadata',
    'x.metadata_tmp',
    'x.metadataXY.metadata_tmp',
  ]) {
    await writeFile(at(name), 'junk');
  }
  await writeFile(inDirectory(directory, notUtf8('bad')), 'junk');
  await writeFile(inDirectory(directory, notUtf8('pair')), 'junk');
  await writeFile(inDirectory(directory, Buffer.concat([notUtf8('pair'), Buffer.from('.metadata')])), '{}');
  await mkdir(inDirectory(directory, notUtf8('folder')));
  for (const folder of ['folder', 'folder/deep', 'folder.metadata', '2026-01-01_00-00_0.00000000.pghoard', 'lost+found'])
    await mkdir(at(folder));
  await writeFile(at('folder/deep/file'), 'junk');
  await writeFile(at('folder/deep/file.metadata'), '{}');
  await symlink('nowhere', at('dangling'));
  await symlink('nowhere', at('dangling.metadata'));
  await symlink('.', at('loop'));
  await symlink('/dev/zero', at('endless'));
  await writeFile(at('endless.metadata'), '{}');
  assert.equal((await runProgram('mkfifo', [at('pipe'), at('pipe2'), at('pipe2.metadata')])).code, 0);
  await writeFile(at('pipe.metadata'), '{}');
  await writeFile(at('piped-metadata'), 'junk');
  assert.equal((await runProgram('mkfifo', [at('piped-metadata.metadata')])).code, 0);
  await writeFile(at('folded-metadata'), 'junk');
  await mkdir(at('folded-metadata.metadata'));
  for (const [name, metadata] of [
    ['no-metadata-keys', '{}'],
    ['broken-metadata', '{"half'],
    ['listed', '[]'],
    ['numbers', '{"start-time": 5}'],
    ['old time', '{"start-time": "yesterday", "start-wal-segment": "x"}'],
  ]) {
    await writeFile(at(name ?? ''), 'junk');
    await writeFile(at(`${name}.metadata`), metadata ?? '');
  }
  return ['no-metadata-keys', 'broken-metadata', 'listed', 'numbers', 'old time'];
}

async function keysOf({ store }: TestBackups, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of store.list(prefix)) keys.push(key);
  return keys;
}

test('with a store full of litter everything goes on, and what looks like an object gets a note', async () => {
  await using scratch = await makeTemporaryDirectory();
  const directory = join(scratch.path, 'pghoard');
  const backups = await TestBackups.open(directory);
  const chunks = [clusterMembers('pgdata/')];
  const [, ...oldChunks] = await backups.addChunked({
    name: '2026-11-20_10-00_0',
    chunks,
    metadata: { 'start-time': '2026-11-20T10:00:00+00:00' },
  });
  await backups.addChunked({
    name: '2026-11-21_10-00_0',
    chunks,
    metadata: {
      'start-time': '2026-11-21T10:00:00+00:00',
      'start-wal-segment': '000000010000000000000005',
      'end-wal-segment': '000000010000000000000005',
    },
  });
  for (const number of [3, 4, 5]) {
    await backups.store.put(backups.keys.wal(`00000001000000000000000${number}`), sourceOfBytes(Buffer.from('wal')), { metadata: {} });
  }
  const site = join(directory, 'store', siteName);
  const [lost, ...lostChunks] = await backups.addChunked({ name: '2026-11-19_10-00_0', chunks });
  await rm(backups.fileOf(`${lost}.metadata`));
  const yearAgo = new Date('2025-11-19T10:00:00Z');
  for (const key of lostChunks) await utimes(backups.fileOf(key), yearAgo, yearAgo);
  const noted = [...(await litter(join(site, 'basebackup'))), '2026-11-19_10-00_0.00000000.pghoard'];
  for (const folder of ['xlog', 'timeline', 'basebackup_chunk', 'xlog_partial', 'preservation_request']) await litter(join(site, folder));
  await litter(join(directory, 'store'));
  const litterOf = () =>
    snapshotOf(join(directory, 'store')).filter((line) => !/\/(2026-11-20|0000)|preservation_request|site_lease/.test(line));
  const before = litterOf();
  const daemon = await TestDaemon.start({
    directory,
    site: {
      active: true,
      nodes: [`host=${scratch.path} connect_timeout=1`],
      pg_data_directory: join(scratch.path, 'pgdata'),
      basebackup_count: 1,
    },
  });
  await using _daemon = daemon;
  const requests = join(site, 'preservation_request');
  await waitFor(() => /a pass over the site failed.*preservation_request/.test(daemon.log), {
    withinMs: 30_000,
    what: () => `who cannot tell which backups must stay deletes none:\n${daemon.log}`,
  });
  assert.deepEqual(litterOf(), before);
  assert.equal((await keysOf(backups, `${siteName}/basebackup/2026-11-20`)).length, 1);
  await daemon.stop();
  await rm(requests, { recursive: true });
  await daemon.launch();
  await waitFor(async () => (await keysOf(backups, `${siteName}/basebackup/2026-11-20`)).length === 0, {
    withinMs: 30_000,
    what: () => `the old backup is deleted:\n${daemon.log}`,
  });
  await waitFor(async () => (await keysOf(backups, oldChunks[0] ?? '')).length === 0, { withinMs: 30_000, what: 'its chunks, too' });
  assert.deepEqual(litterOf(), before, 'nothing else is touched');
  const wal = await keysOf(backups, `${backups.keys.walPrefix}0000`);
  assert.equal(wal.length, 3, 'WAL stays while it is not known who needs it');

  const config = ['--config', daemon.configFile];
  for (const args of [
    ['list-basebackups', ...config],
    ['list-basebackups-http', '--site', siteName, ...config],
  ]) {
    const list = await runOurs('restore', args);
    const output = `${list.stdout}${list.stderr}`;
    assert.equal(list.code, 0, output);
    assert.match(list.stdout, /2026-11-21_10-00_0/);
    assert.doesNotMatch(list.stdout, /2026-11-20/);
    for (const name of noted) assert.match(list.stderr, new RegExp(`WARNING: .*basebackup/${name}\\b`), output);
    assert.equal(list.stderr.match(/WARNING/g)?.length, noted.length, output);
    assertNoStackTrace(output);
  }
  const target = join(scratch.path, 'target');
  const restored = await runOurs('restore', ['get-basebackup', ...config, '--target-dir', target, '--restore-to-primary']);
  assert.equal(restored.code, 0, restored.stdout + restored.stderr);
  for (const name of noted) assert.match(`${restored.stdout}${restored.stderr}`, new RegExp(`${name} is left out`));
  const statusHasAll = async () => {
    const status = await (await daemon.request('GET', '/status')).text();
    return noted.every((name) => status.includes(name));
  };
  await waitFor(statusHasAll, { withinMs: 30_000, what: `${noted.join(', ')} are in the status` });
  for (const method of ['GET', 'HEAD']) {
    for (const name of ['lone', 'endless', 'pipe', 'folder', 'dangling', 'with space', 'loop/loop/000000010000000000000003']) {
      const answer = await daemon.request(method, `/${siteName}/archive/${encodeURIComponent(name)}`, {
        accept: 'application/octet-stream',
      });
      assert.equal(answer.status, 400, name);
    }
  }
  assertNoStackTrace(daemon.log);
});

test('litter in the place of WAL objects is not taken for WAL, and holds nobody up', async () => {
  await using scratch = await makeTemporaryDirectory();
  const daemon = await TestDaemon.start({ directory: join(scratch.path, 'pghoard') });
  await using _daemon = daemon;
  const xlog = join(daemon.storeDirectory, siteName, 'xlog');
  await mkdir(xlog, { recursive: true });
  const nameOf = (number: number) => `0000000100000000000000A${number}`;
  const at = (number: number, suffix = '') => join(xlog, `${nameOf(number)}${suffix}`);
  await mkdir(at(0));
  await symlink('nowhere', at(1));
  await symlink('/dev/zero', at(2));
  await writeFile(at(2, '.metadata'), '{}');
  assert.equal((await runProgram('mkfifo', [at(3)])).code, 0);
  await writeFile(at(3, '.metadata'), '{}');
  await writeFile(at(4, '.metadata'), '{}');
  await writeFile(at(5), 'junk');
  await mkdir(at(5, '.metadata'));
  await writeFile(at(6), 'junk');
  assert.equal((await runProgram('mkfifo', [at(6, '.metadata')])).code, 0);
  await writeFile(at(7), 'junk');
  await symlink(`${nameOf(7)}.metadata`, at(7, '.metadata'));
  const restore = async (number: number) => {
    const args = ['--mode', 'restore', '--site', siteName, '--port', String(daemon.port), '--retry-interval', '0'];
    const result = await runOurs('postgres-command', [...args, '--xlog', nameOf(number), '--output', 'out'], {
      cwd: scratch.path,
      signal: AbortSignal.timeout(20_000),
    });
    assertNoStackTrace(result.stdout + result.stderr);
    return result.code;
  };
  for (const number of [0, 1, 2, 3, 4]) assert.equal(await restore(number), 4, `${number}: no object`);
  for (const number of [5, 6, 7]) assert.equal(await restore(number), 255, `${number}: an object whose metadata cannot be read`);
  assert.equal((await daemon.request('GET', '/status')).status, 200);
});
