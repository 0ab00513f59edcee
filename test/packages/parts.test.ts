import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadConfig } from '../../src/config/load.ts';
import { runProgram } from '../../src/lib/subprocess.ts';
import { packageRoot } from '../support/package-root.ts';
import { makeTemporaryDirectory } from '../support/temporary-directory.ts';

/** What packages are made of. `make check-packages` builds and installs them, which takes longer than fits here. */
const packaging = (...path: string[]) => join(packageRoot, 'packaging', ...path);

test('npm packs what runs and what is read, no tests, no sources', async () => {
  const { code, stdout, stderr } = await runProgram('npm', ['pack', '--dry-run', '--json'], { cwd: packageRoot });
  assert.equal(code, 0, stderr);
  const [{ files }] = JSON.parse(stdout) as [{ files: readonly { path: string }[] }];
  const paths = files.map(({ path }) => path);
  const { bin } = JSON.parse(await readFile(join(packageRoot, 'package.json'), 'utf8')) as { bin: Record<string, string> };
  for (const path of [
    ...Object.values(bin),
    'bin/launch.sh',
    'dist/programs/pghoard.js',
    'dist/programs/codec-worker.js',
    'dist/web/index.html',
    'dist/web/page.js',
    'dist/web/page.css',
    'dist/web/icon.svg',
    'dist/web/page.js.br',
    'dist/web/page.js.gz',
    'docs/guide.md',
    'pghoard.schema.json',
    'LICENSE',
    'README.md',
  ])
    assert(paths.includes(path), path);
  assert.deepEqual(
    paths.filter((path) =>
      /\.test\.|\.ts$|^(src|test|bench|scripts)\/|^packaging\/(?!grafana|prometheus)|^dist\/(?!programs\/|share\/|web\/)/.test(path),
    ),
    [],
  );
});

test('the sample is a configuration as the daemon takes it, and every part of it is explained', async () => {
  const config = await loadSample();
  assert.deepEqual(Object.keys(config.backup_sites), ['main']);
  const lines = (await readFile(packaging('pghoard.sample.jsonc'), 'utf8')).split('\n');
  assert(lines.filter((line) => line.trim().startsWith('//')).length > 15);
});

test('systemd understands the unit', async () => {
  // What it starts is not installed here, and there need not be a systemd that runs.
  const { stdout, stderr } = await runProgram('systemd-analyze', ['verify', '--man=no', packaging('pghoard.service')]);
  const complaints = `${stdout}${stderr}`
    .split('\n')
    .filter((line) => line.includes('pghoard.service') && !line.includes('/usr/bin/pghoard is not executable'));
  assert.deepEqual(complaints, []);
});

test('the unit waits longer than the daemon takes to stop', async () => {
  const unit = await readFile(packaging('pghoard.service'), 'utf8');
  const minutes = Number(/^TimeoutStopSec=(\d+)min$/m.exec(unit)?.[1]);
  const config = await loadSample();
  const daemonSeconds = config.graceful_shutdown_compression_timeout + config.graceful_shutdown_upload_timeout;
  assert(minutes * 60 >= daemonSeconds + 60);
});

for (const script of [
  'build-deb.sh',
  'build-rpm.sh',
  'build-tarball.sh',
  'build-container.sh',
  'build-programs.sh',
  'stage.sh',
  'version.sh',
  'deb/postinst',
  'deb/prerm',
  'deb/postrm',
]) {
  test(`packaging/${script} is a script of sh`, async () => {
    assert.deepEqual(await runProgram('sh', ['-n', packaging(script)]), { code: 0, signal: null, stdout: '', stderr: '' });
  });
}

/** The sample without its remarks, cut as stage.sh cuts it. */
async function loadSample() {
  await using scratch = await makeTemporaryDirectory();
  const sample = join(scratch.path, 'pghoard.json');
  const script = `eval "$(sed -n 's/^ *\\(grep .*pghoard.sample.jsonc\\) > .*/\\1/p' packaging/stage.sh)" > "$1"`;
  const { code, stderr } = await runProgram('sh', ['-c', script, 'sh', sample], { cwd: packageRoot });
  assert.equal(code, 0, stderr);
  return await loadConfig(sample, { forDaemon: true });
}
