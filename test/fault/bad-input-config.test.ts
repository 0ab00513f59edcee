import assert from 'node:assert/strict';
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { type CommandName, runOurs } from '../support/commands.ts';
import { assertNoStackTrace, assertRefused, snapshotOf } from '../support/refusal.ts';
import { systemUser } from '../support/system-user.ts';
import { makeTemporaryDirectory } from '../support/temporary-directory.ts';

/** Every command that reads a configuration file, with what it needs beside it. */
const commands: readonly (readonly [CommandName, readonly string[]])[] = [
  ['pghoard', []],
  ['restore', ['list-basebackups']],
  ['restore', ['get-basebackup', '--target-dir', '/nonexistent/target', '--restore-to-primary']],
  ['archive-sync', []],
  ['archive-cleanup', []],
  ['create-keys', ['--key-id', 'k', '--bits', '2048']],
];

const store = { storage_type: 'local', directory: '/nonexistent/store' };
const site = { pg_data_directory: '/nonexistent/pgdata', nodes: ['host=/nonexistent'], object_storage: store };
const withoutConfig: NodeJS.ProcessEnv = { ...process.env, PGHOARD_CONFIG: '' };

function configWith(globals: object, ofSite: object = {}): object {
  return { backup_location: '/nonexistent/spool', ...globals, backup_sites: { main: { ...site, ...ofSite } } };
}

test('a configuration file that cannot be read is a refusal by each command, which changes nothing', async () => {
  await using scratch = await makeTemporaryDirectory();
  const at = (name: string) => join(scratch.path, name);
  await mkdir(at('directory'));
  await writeFile(at('truncated.json'), '{\n  "backup_sites": {\n    "main": {');
  await writeFile(at('binary.json'), Buffer.from([0xff, 0xfe, 0, 1, 2, 3]));
  await writeFile(at('list.json'), '[]');
  await writeFile(at('empty.json'), '');
  const files: readonly (readonly [string, RegExp, RegExp])[] = [
    [at('none.json'), /config-missing|config-unreadable/, /none\.json/],
    [at('directory'), /config-unreadable/, /directory/],
    [at('truncated.json'), /config-invalid/, /line 3, column \d+/],
    [at('binary.json'), /config-invalid/, /UTF-8|line 1|encoding/i],
    [at('list.json'), /config-invalid/, /object/],
    [at('empty.json'), /config-invalid/, /line 1, column 1|empty/],
  ];
  const before = snapshotOf(scratch.path);
  for (const [index, [file, code, says]] of files.entries()) {
    // Each file by two commands, so that each command meets several and the time stays short.
    for (const [name, args] of [0, 1, 2].map((step) => commands[(index + step * 2) % commands.length] as (typeof commands)[number])) {
      const result = await runOurs(name, [...args, '--config', file], { env: withoutConfig });
      assertRefused(result, { code, says, hint: false }, `${name} ${args.join(' ')} ${file}`);
    }
  }
  assert.deepEqual(snapshotOf(scratch.path), before);
});

test('a configuration file that others own is refused with the reason', async () => {
  await using scratch = await makeTemporaryDirectory();
  const file = join(scratch.path, 'secret.json');
  await writeFile(file, JSON.stringify(configWith({ webserver_username: 'ann', webserver_password: 'hush-hush' })));
  await chmod(file, 0o000);
  const { uid, gid } = systemUser();
  for (const [name, args] of [commands[0], commands[1]] as typeof commands) {
    const result = await runOurs(name, [...args, '--config', file], { uid, gid, env: withoutConfig });
    assertRefused(result, { code: 'config-unreadable', says: /EACCES/, hint: false }, name);
    assert.doesNotMatch(result.stdout + result.stderr, /hush-hush/);
  }
});

test('all that is wrong with a configuration is told at once, with its place, and no secret', async () => {
  await using scratch = await makeTemporaryDirectory();
  const file = join(scratch.path, 'pghoard.json');
  const secrets = { webserver_password: 'hush-hush', http_port: 'sixteen-thousand' };
  const keys = { k: { private: '-----BEGIN PRIVATE KEY-----\ncHJpdmF0ZQ==\n-----END PRIVATE KEY-----', public: 'junk' } };
  const bad = configWith(
    { ...secrets, htp_address: '::', log_level: 'LOUD', compression: { algorithm: 'zip' } },
    {
      basebackup_count: -1,
      basebackup_mod: 'pipe',
      basebackup_minute: 3,
      encryption_key_id: 'other',
      encryption_keys: keys,
      nodes: ['host=a password=hush-conninfo ='],
    },
  );
  await writeFile(file, JSON.stringify(bad, undefined, 2));
  for (const [name, args] of [commands[0], commands[1], commands[3]] as typeof commands) {
    const result = await runOurs(name, [...args, '--config', file], { env: withoutConfig });
    const output = result.stdout + result.stderr;
    assertRefused(result, { code: 'config-invalid', says: /did you mean "http_address"/ }, name);
    for (const key of [
      'webserver_password',
      'http_port',
      'htp_address',
      'log_level',
      'algorithm',
      'basebackup_count',
      'basebackup_mod',
      'basebackup_minute',
      'encryption_key',
      'nodes',
    ]) {
      assert.match(output, new RegExp(`${key}.*\\(line \\d+, column \\d+\\)`), `${name}: ${key}\n${output}`);
    }
    assert.doesNotMatch(output, /hush-hush|hush-conninfo|cHJpdmF0ZQ/);
  }
});

test('no configuration at all, and one from the environment', async () => {
  await using scratch = await makeTemporaryDirectory();
  const exits = { pghoard: 1, restore: 2, 'archive-sync': 1, 'archive-cleanup': 1 } as const;
  for (const [name, exit] of Object.entries(exits)) {
    const args = commands.find(([command]) => command === name)?.[1] ?? [];
    const result = await runOurs(name as CommandName, args, { env: withoutConfig });
    assert.ok([exit, 2].includes(result.code ?? -1) && result.code !== 0, `${name}: ${result.code}\n${result.stderr}`);
    assert.match(result.stdout + result.stderr, /--config/, name);
    assertNoStackTrace(result.stdout + result.stderr);
  }
  const missing = join(scratch.path, 'from-environment.json');
  const fromEnvironment = await runOurs('restore', ['list-basebackups'], { env: { ...withoutConfig, PGHOARD_CONFIG: missing } });
  assertRefused(fromEnvironment, { code: 'config-missing', says: /from-environment\.json/, hint: false });
});

test('command lines that nobody can follow: 2 where the original had 2, and never what PostgreSQL takes for "no such file"', async () => {
  const usage: readonly (readonly [CommandName, readonly string[], number])[] = [
    ['restore', ['no-such-command'], 2],
    ['restore', ['get-basebackup', '--config', 'x'], 2],
    ['restore', ['list-basebackups', '--no-such-flag'], 2],
    ['restore', ['list-basebackups-http', '--site', 's', '--port', '99999'], 2],
    ['restore', [], 1],
    ['pghoard', ['--no-such-flag'], 2],
    ['create-keys', [], 2],
    ['archive-sync', ['--no-such-flag'], 2],
    ['archive-cleanup', ['--no-such-flag'], 2],
  ];
  for (const [name, args, exit] of usage) {
    const result = await runOurs(name, args, { env: withoutConfig });
    assert.equal(result.code, exit, `${name} ${args.join(' ')}: ${result.stdout}${result.stderr}`);
    assertNoStackTrace(result.stdout + result.stderr);
  }
  const restore = ['--mode', 'restore', '--site', 'main', '--xlog', '000000010000000000000001', '--output', 'x'];
  const restores: readonly (readonly string[])[] = [
    [],
    ['--no-such-flag'],
    restore.slice(0, 4),
    [...restore, '--port', 'abc'],
    [...restore, '--retry-interval', '-1'],
    ['--mode', 'restore', '--site', 'a/../b', '--xlog', 'x'],
    ['--mode', 'restore', '--site', 'main', '--xlog', 'a b'],
    [...restore, '--port', '1', '--retry-interval', '0'],
    [...restore, '--host', 'no-such-host.invalid', '--retry-interval', '0'],
  ];
  for (const args of restores) {
    const result = await runOurs('postgres-command', args);
    assert.equal(result.code, 255, `${args.join(' ')}: ${result.stdout}${result.stderr}`);
    assertNoStackTrace(result.stdout + result.stderr);
  }
  const archive = ['--mode', 'archive', '--site', 'main', '--xlog', '000000010000000000000001'];
  for (const args of [archive.slice(0, 4), [...archive, '--port', '1'], [...archive, '--port', 'x']]) {
    const result = await runOurs('postgres-command', args);
    assert.ok(result.code !== null && result.code > 0, `${args.join(' ')}: ${result.stdout}`);
    assertNoStackTrace(result.stdout + result.stderr);
  }
});

test('a key is not put into a configuration that is broken, which stays as it is', async () => {
  await using scratch = await makeTemporaryDirectory();
  const file = join(scratch.path, 'pghoard.json');
  const texts = [
    '{"backup_sites": {"main": {}',
    '{"backup_sites": {"main": {}}, "backup_sites": {}}',
    '{"backup_sites": []}',
    '{"backup_sites": {"main": 3}}',
  ];
  for (const text of texts) {
    await writeFile(file, text, { mode: 0o600 });
    const result = await runOurs('create-keys', ['--site', 'main', '--key-id', 'k', '--config', file], { env: withoutConfig });
    assertRefused(result, { code: 'config-invalid', hint: false }, text);
    assert.equal(await readFile(file, 'utf8'), text);
    assert.doesNotMatch(result.stdout + result.stderr, /PRIVATE KEY/);
  }
  assert.deepEqual(snapshotOf(scratch.path).length, 1, 'no temporary file is left');
  await rm(file);
});
