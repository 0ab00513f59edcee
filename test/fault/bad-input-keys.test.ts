import assert from 'node:assert/strict';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { createKeyPair } from '../../src/codec/keys.ts';
import { runOurs } from '../support/commands.ts';
import { siteName, TestDaemon } from '../support/daemon.ts';
import { assertNoStackTrace, assertRefused } from '../support/refusal.ts';
import { RestoreCommandBench } from '../support/restore-command-bench.ts';
import { makeTemporaryDirectory } from '../support/temporary-directory.ts';
import { clusterMembers } from '../support/test-backups.ts';
import { makeWalSegment } from '../support/wal-segment.ts';

function siteWith(keys: Record<string, { public?: string; private?: string }>, id = Object.keys(keys)[0]): object {
  return { encryption_key_id: id, encryption_keys: keys };
}

test('base backups: a wrong, missing, half or broken key is named, and is never shown', async () => {
  await using bench = await RestoreCommandBench.make();
  const [ours, other] = [await createKeyPair(2048), await createKeyPair(2048)];
  const both = ({ publicKey, privateKey }: typeof ours) => ({ public: publicKey, private: privateKey });
  await bench.backups.addChunked({ chunks: [clusterMembers('pgdata/')], key: { id: 'ours', publicKey: ours.publicKey } });
  const flipped = ours.privateKey.replace(/\n(.{20})(.{20})/, '\n$2$1');
  const cases: readonly [string, string, RegExp, object][] = [
    ['another key under the same id', 'key-wrong', /cannot be decrypted/, siteWith({ ours: both(other) })],
    ['only the public key', 'key-missing', /encryption_keys\.ours\.private/, siteWith({ ours: { public: ours.publicKey } })],
    ['only another id', 'key-missing', /'ours'.*\n.*other/, siteWith({ other: both(ours) })],
    ['no keys at all', 'key-missing', /'ours'/, {}],
    [
      'halves of two pairs',
      'config-invalid',
      /encryption_keys\.ours/,
      siteWith({ ours: { public: other.publicKey, private: ours.privateKey } }),
    ],
    [
      'a broken private key',
      'config-invalid',
      /encryption_keys\.ours\.private/,
      siteWith({ ours: { public: ours.publicKey, private: flipped } }),
    ],
    [
      'the public key as the private one',
      'config-invalid',
      /encryption_keys\.ours\.private/,
      siteWith({ ours: { public: ours.publicKey, private: ours.publicKey } }),
    ],
  ];
  const lines = [ours, other].flatMap(({ privateKey }) => privateKey.split('\n').filter((line) => line.length > 40));
  for (const [what, code, says, site] of cases) {
    await bench.assertRefuses({ code, says }, what, site);
    const list = await runOurs('restore', ['list-basebackups', '--config', await bench.backups.writeConfig(site)]);
    if (code !== 'config-invalid') assert.equal(list.code, 0, `${what}: listing needs no key: ${list.stderr}`);
    for (const line of lines) assert.ok(!`${list.stdout}${list.stderr}`.includes(line), what);
  }
  await bench.assertRestores(siteWith({ other: both(other), ours: both(ours) }));
});

test('a host that has only the public key archives and lists; restores there say what is missing', async () => {
  await using scratch = await makeTemporaryDirectory();
  const walDirectory = join(scratch.path, 'pgdata', 'pg_wal');
  await mkdir(walDirectory, { recursive: true });
  const { publicKey } = await createKeyPair(2048);
  const site = { pg_data_directory: join(scratch.path, 'pgdata'), ...siteWith({ ours: { public: publicKey } }) };
  await using daemon = await TestDaemon.start({ directory: join(scratch.path, 'pghoard'), site });
  const name = '000000010000000000000011';
  await writeFile(join(walDirectory, name), makeWalSegment(name));
  for (const _time of ['first', 'again']) assert.equal((await daemon.request('PUT', `/${siteName}/archive/${name}`)).status, 201);
  await writeFile(join(walDirectory, name), makeWalSegment(name, { filling: 'other' }));
  assert.equal((await daemon.request('PUT', `/${siteName}/archive/${name}`)).status, 409, 'compared by hash, without the key');
  const args = ['--mode', 'restore', '--site', siteName, '--port', String(daemon.port), '--retry-interval', '0', '--xlog', name];
  const restored = await runOurs('postgres-command', [...args, '--output', 'pg_wal/RECOVERYXLOG'], { cwd: join(scratch.path, 'pgdata') });
  assert.equal(restored.code, 255, restored.stdout);
  assert.match(restored.stdout, /key-missing.*\n.*hint: Add encryption_keys\.ours\.private/);
  assert.deepEqual((await readdir(walDirectory)).toSorted(), [name]);
  const list = await runOurs('restore', ['list-basebackups', '--config', daemon.configFile]);
  assert.equal(list.code, 0, list.stderr);
  const bad = await runOurs('restore', [
    'get-basebackup',
    '--config',
    daemon.configFile,
    '--target-dir',
    join(scratch.path, 'target'),
    '--restore-to-primary',
  ]);
  assertRefused(bad, { code: 'no-basebackup' });
  assertNoStackTrace(daemon.log);
});
