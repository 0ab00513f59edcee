import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { runProgram } from '../../../src/lib/subprocess.ts';
import { packageRoot } from '../../support/package-root.ts';
import { makeTemporaryDirectory, type TemporaryDirectory } from '../../support/temporary-directory.ts';
import { CleanRoot } from './clean-root.ts';
import { assertRuns, byUnit } from './life.ts';
import { prepared, succeed } from './place.ts';

const { version } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as { version: string };
let scratch: TemporaryDirectory;
let root: CleanRoot;
let rpm: string;

before(async () => {
  scratch = await makeTemporaryDirectory();
  rpm = await succeed('sh', [join(packageRoot, 'packaging/build-rpm.sh'), scratch.path, prepared('PGHOARD_TEST_STAGED')]);
  root = await CleanRoot.make();
});
after(async () => {
  await root[Symbol.asyncDispose]();
  await scratch[Symbol.asyncDispose]();
});

/** The root is a Debian: what the package needs is there, but not as packages of rpm. */
const run = (...args: string[]) => succeed('rpm', [`--root=${root.path}`, ...args]);

test('it needs nothing but the C libraries, a shell, systemd and those who make users', async () => {
  const needs = (await succeed('rpm', ['-qp', '--requires', rpm])).split('\n').map((line) => line.split(/[( ]/)[0]);
  const libraries = [
    'ld-linux-x86-64.so.2',
    'ld-linux-aarch64.so.1',
    'libc.so.6',
    'libdl.so.2',
    'libgcc_s.so.1',
    'libm.so.6',
    'libpthread.so.0',
    'librt.so.1',
    'libstdc++.so.6',
    'rtld',
  ];
  const others = ['/bin/sh', '/bin/bash', '/usr/bin/env', 'bash', 'shadow-utils', 'systemd', 'rpmlib'];
  assert.deepEqual(
    [...new Set(needs)].filter((name) => ![...libraries, ...others].includes(name ?? '')),
    [],
  );
});

test('it installs into a clean root without Node, makes its user and directory, and runs there', async () => {
  await run('--install', '--nodeps', rpm);
  assert.equal(await root.say('stat -c "%U %G %a" /var/lib/pghoard'), 'postgres postgres 750');
  await assertRuns(await byUnit(root, version));
});

test('what was installed is what was packed', async () => {
  const { stdout } = await runProgram('rpm', [`--root=${root.path}`, '--verify', '--nodeps', 'pghoard']);
  assert.equal(stdout, '');
});

test('neither an upgrade nor removal takes configuration, keys or what waits', async () => {
  await root.say('mkdir -p /var/lib/pghoard/spool && echo wal > /var/lib/pghoard/spool/segment');
  await run('--upgrade', '--replacepkgs', '--nodeps', rpm);
  const kept = await root.say('cd /var/lib/pghoard && sha256sum pghoard.json spool/segment');
  await run('--erase', '--nodeps', 'pghoard');
  assert.equal(await root.say('cd /var/lib/pghoard && sha256sum pghoard.json spool/segment'), kept);
  assert.equal(await root.say('ls -d /usr/lib/pghoard /usr/bin/pghoard* /usr/share/doc/pghoard 2> /dev/null || true'), '');
});
