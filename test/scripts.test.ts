import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { runProgram } from '../src/lib/subprocess.ts';
import { packageRoot } from './support/package-root.ts';
import { makeTemporaryDirectory } from './support/temporary-directory.ts';

test('install-npm.sh installs what is missing, but not into a directory that node_modules is only a link to', async () => {
  await using scratch = await makeTemporaryDirectory();
  const at = (...names: string[]) => join(scratch.path, ...names);
  for (const directory of ['checkout/scripts', 'elsewhere', 'bin']) await mkdir(at(directory), { recursive: true });
  await cp(join(packageRoot, 'scripts/install-npm.sh'), at('checkout/scripts/install-npm.sh'));
  await writeFile(at('checkout/package-lock.json'), '{}');
  await writeFile(at('elsewhere/precious'), '');
  await writeFile(at('bin/npm'), '#!/bin/sh\nrm -rf node_modules/*\nmkdir -p node_modules\n', { mode: 0o755 });
  const env = { PATH: `${at('bin')}:/usr/bin:/bin` };
  const install = () => runProgram('sh', [at('checkout/scripts/install-npm.sh')], { env });

  await symlink('../elsewhere', at('checkout/node_modules'));
  const { code, stderr } = await install();
  assert.equal(code, 1);
  assert.match(stderr, /node_modules is a link/);
  assert.deepEqual(await readdir(at('elsewhere')), ['precious']);

  await rm(at('checkout/node_modules'));
  assert.equal((await install()).code, 0);
  assert.deepEqual(await readdir(at('checkout/node_modules')), ['.package-lock.json']);
});

test('with-test-memory.sh runs a program with a directory in memory that is gone afterwards, and ends as that does', async () => {
  const { PGHOARD_TEST_MEMORY: _, ...env } = process.env;
  const script =
    'echo "${PGHOARD_TEST_MEMORY:-none}"; if [ "${PGHOARD_TEST_MEMORY:-}" ]; then touch "$PGHOARD_TEST_MEMORY/left"; fi; exit 7';
  const { code, stdout } = await runProgram('sh', [join(packageRoot, 'scripts/with-test-memory.sh'), 'sh', '-c', script], { env });
  assert.equal(code, 7);
  const directory = stdout.trim();
  assert.match(directory, /^(none|\/dev\/shm\/pghoard-test\.\d+)$/);
  assert.equal(existsSync(directory), false);
});
