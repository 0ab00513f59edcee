import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { runProgram } from '../../../src/lib/subprocess.ts';
import { freePort } from '../../support/free-port.ts';
import { packageRoot } from '../../support/package-root.ts';
import { makeTemporaryDirectory } from '../../support/temporary-directory.ts';
import { waitFor } from '../../support/wait-for.ts';
import { assertServesDashboard } from './dashboard-served.ts';
import { prepared } from './place.ts';

interface Lock {
  readonly packages: Record<string, { readonly version: string; readonly dev?: boolean }>;
}

const { version, bin } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as {
  version: string;
  bin: Record<string, string>;
};

test('npm installs the tarball for everybody, with the tested versions and manual pages, and every command runs', async () => {
  await using scratch = await makeTemporaryDirectory();
  const prefix = join(scratch.path, 'a prefix');
  await mkdir(prefix);
  // The registry is the configured one; what npm has in its cache it does not ask for.
  const install = await runProgram('npm', [
    'install',
    '--global',
    '--prefer-offline',
    '--ignore-scripts',
    `--prefix=${prefix}`,
    prepared('PGHOARD_TEST_TARBALL'),
  ]);
  assert.equal(install.code, 0, install.stderr);

  const env = { PATH: '/usr/bin:/bin', HOME: scratch.path };
  for (const command of Object.keys(bin)) {
    const { code, stdout, stderr } = await runProgram(join(prefix, 'bin', command), ['--version'], { env, cwd: '/' });
    assert.deepEqual([code, stderr], [0, ''], command);
    assert(stdout.trim().endsWith(version), stdout);
  }
  const sample = join(packageRoot, 'packaging/pghoard.sample.jsonc');
  const check = await runProgram(join(prefix, 'bin/pghoard'), ['check', '--config', sample], { env, cwd: '/' });
  assert.equal(check.code, 1);
  assert.match(check.stderr + check.stdout, /does not contain valid JSON/);

  await assertDaemonServes(join(prefix, 'bin/pghoard'), scratch.path, env);

  const tested = new Set(testedVersions());
  const installed = await installedVersions(join(prefix, 'lib/node_modules/pghoard/node_modules'));
  assert(installed.length > 100);
  assert.deepEqual(
    installed.filter((each) => !tested.has(each)),
    [],
  );
  const pages = await readdir(join(prefix, 'share/man/man1'));
  assert(pages.includes('pghoard_restore.1'), String(pages));
});

/** Started as npm has linked it, with a site that only serves restores. */
async function assertDaemonServes(program: string, directory: string, env: NodeJS.ProcessEnv): Promise<void> {
  const port = await freePort();
  const file = join(directory, 'pghoard.json');
  const main = { active: false, object_storage: { storage_type: 'local', directory: join(directory, 'store') } };
  const config = { backup_location: join(directory, 'spool'), http_port: port, backup_sites: { main } };
  await writeFile(file, JSON.stringify(config), { mode: 0o600 });
  const daemon = spawn(program, ['--config', file], { env, cwd: '/', stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  daemon.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
  const ended = once(daemon, 'exit');
  try {
    await waitFor(() => fetch(`http://127.0.0.1:${port}/status`), { withinMs: 60_000, what: () => `the API answers:\n${log}` });
    await assertServesDashboard(port);
  } finally {
    daemon.kill();
    await ended;
  }
}

/** The packages of production, as `name@version`. */
function testedVersions(): string[] {
  const lock = JSON.parse(readFileSync(join(packageRoot, 'package-lock.json'), 'utf8')) as Lock;
  return Object.entries(lock.packages)
    .filter(([path, { dev }]) => path !== '' && !dev)
    .map(([path, entry]) => `${path.replace(/^.*node_modules\//, '')}@${entry.version}`);
}

/** What lies in a node_modules directory and in those of its packages. Where exactly, npm decides. */
async function installedVersions(modules: string): Promise<string[]> {
  const paths = await readdir(modules, { recursive: true });
  const manifests = paths.filter((path) => /(^|\/node_modules\/)(@[^/]+\/)?[^/@][^/]*\/package\.json$/.test(path));
  return manifests.map((path) => {
    const { version: installed } = JSON.parse(readFileSync(join(modules, path), 'utf8')) as { version: string };
    return `${path.replace(/^.*node_modules\//, '').replace(/\/package\.json$/, '')}@${installed}`;
  });
}
