import assert from 'node:assert/strict';
import { chmod, chown, mkdtemp, readdir, readFile, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { checkKeyPair } from '../codec/keys.ts';
import { type ProgramResult, runProgram } from '../lib/subprocess.ts';

interface WrittenConfig {
  readonly log_level?: string;
  readonly backup_sites: Record<
    string,
    { encryption_key_id: string; encryption_keys: Record<string, { public: string; private: string }> }
  >;
}

const program = fileURLToPath(import.meta.url).replace(/\.test(\.[jt]s)$/, '$1');

function createKeys(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<ProgramResult> {
  return runProgram(process.execPath, [program, ...args], { env: { PATH: process.env['PATH'], ...env } });
}

async function makeConfig(t: TestContext, text: string): Promise<{ directory: string; path: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'keys-'));
  t.after(() => rm(directory, { recursive: true }));
  const path = join(directory, 'pghoard.json');
  await writeFile(path, text);
  return { directory, path };
}

test('without a configuration file the snippet is shown', async () => {
  const { code, stdout } = await createKeys(['--site', 'main', '--key-id', '2026', '--bits', '1024']);
  assert.equal(code, 0);
  const { backup_sites } = JSON.parse(stdout) as WrittenConfig;
  assert.equal(backup_sites['main']?.encryption_key_id, '2026');
  const pair = backup_sites['main']?.encryption_keys['2026'];
  checkKeyPair(pair?.public ?? '', pair?.private ?? '');
});

test('the configuration file is rewritten in place: link, mode and the rest stay', async (t) => {
  const { directory, path } = await makeConfig(t, '{"log_level": "INFO", "backup_sites": {"main": {}}}');
  await chmod(path, 0o640);
  const link = join(directory, 'link.json');
  await symlink('pghoard.json', link);

  const { code, stdout, stderr } = await createKeys(['--key-id', 'k1', '--bits', '1024'], { PGHOARD_CONFIG: link });
  assert.equal(code, 0, stderr);
  assert.equal(stdout.trim().split('\n').length, 2);
  assert.match(stderr, /mode 640/);
  assert.equal(await readlink(link), 'pghoard.json');
  assert.equal((await stat(path)).mode & 0o777, 0o640);
  assert.deepEqual((await readdir(directory)).toSorted(), ['link.json', 'pghoard.json']);
  const { log_level, backup_sites } = JSON.parse(await readFile(path, 'utf8')) as WrittenConfig;
  assert.equal(log_level, 'INFO');
  assert.equal(backup_sites['main']?.encryption_key_id, 'k1');
});

test('the owner stays', async (t) => {
  const { path } = await makeConfig(t, '{"backup_sites": {"main": {}}}');
  const { uid: self, gid: group } = userInfo();
  const owner = self === 0 ? { uid: 12_345, gid: 23_456 } : { uid: self, gid: group };
  await chown(path, owner.uid, owner.gid);
  await chmod(path, 0o600);
  const { code, stderr } = await createKeys(['--config', path, '--key-id', 'k1', '--bits', '1024']);
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
  const { uid, gid, mode } = await stat(path);
  assert.deepEqual([uid, gid, mode & 0o777], [owner.uid, owner.gid, 0o600]);
});

test('what is refused is refused with exit code 1, and the file stays as it was', async (t) => {
  const text = '{"backup_sites": {"main": {"encryption_keys": {"k1": {}}}}}';
  const { directory, path } = await makeConfig(t, text);
  const broken = join(directory, 'broken.json');
  await writeFile(broken, '{"backup_sites": {\n  "main" {}}}');
  const repeated = join(directory, 'repeated.json');
  await writeFile(repeated, '{"backup_sites": {"main": {}},\n "backup_sites": {}}');
  const cases: [string[], RegExp][] = [
    [['--config', path, '--key-id', 'k1'], /key-exists/],
    [['--config', path, '--key-id', 'k2', '--site', 'other'], /site-unknown/],
    [['--config', path, '--key-id', 'k2', '--bits', '100'], /key-bits-invalid/],
    [['--config', path, '--key-id', 'a b'], /key-id-invalid/],
    [['--config', broken, '--key-id', 'k2'], /config-invalid.*line 2/],
    [['--config', repeated, '--key-id', 'k2'], /config-invalid.*twice, again in line 2/],
    [['--config', join(directory, 'missing'), '--key-id', 'k2'], /config-unreadable/],
    [['--key-id', 'k2'], /site-missing/],
  ];
  assert.equal((await createKeys(['--site', 'main'])).code, 2, 'without --key-id, which is a usage error');
  for (const [args, message] of cases) {
    const { code, stdout, stderr } = await createKeys(args);
    assert.deepEqual({ code, stdout }, { code: 1, stdout: '' }, args.join(' '));
    assert.match(stderr, message);
  }
  assert.equal(await readFile(path, 'utf8'), text);
});
