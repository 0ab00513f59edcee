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
let deb: string;

before(async () => {
  scratch = await makeTemporaryDirectory();
  deb = await succeed('sh', [join(packageRoot, 'packaging/build-deb.sh'), scratch.path, prepared('PGHOARD_TEST_STAGED')]);
  root = await CleanRoot.make();
});
after(async () => {
  await root[Symbol.asyncDispose]();
  await scratch[Symbol.asyncDispose]();
});

const install = () => succeed('dpkg', [`--root=${root.path}`, '--force-unsafe-io', '-i', deb]);

test('it installs into a clean Debian without Node, makes its user and directory, and runs there', async () => {
  await install();
  assert.equal(await root.say('stat -c "%U %G %a" /var/lib/pghoard'), 'postgres postgres 750');
  assert.equal(await root.say('dpkg --audit'), '');
  assert.equal(await root.say('dpkg --verify pghoard'), '', 'what was installed is what was packed');
  assert.match(await root.say('systemctl is-enabled pghoard.service'), /enabled/);
  await assertRuns(await byUnit(root, version));
});

test('systemd finds nothing wrong with the unit', async () => {
  assert.equal(await root.say('systemd-analyze verify --man=no pghoard.service 2>&1'), '');
});

test('man, shells and lawyers find what is theirs', async () => {
  const files = await root.say('dpkg -L pghoard');
  for (const path of [
    '/usr/share/man/man1/pghoard_restore.1.gz',
    '/usr/share/man/man5/pghoard.json.5.gz',
    '/usr/share/bash-completion/completions/pghoard_restore',
    '/usr/share/zsh/vendor-completions/_pghoard',
    '/usr/share/fish/vendor_completions.d/pghoard.fish',
  ]) {
    assert(files.split('\n').includes(path), path);
  }
  const copyright = await root.say('cat /usr/share/doc/pghoard/copyright');
  const modules = await root.say(
    'cd /usr/lib/pghoard/node_modules && find . -name package.json -path "*/node_modules/*" -prune -o -name package.json -print',
  );
  for (const manifest of modules.split('\n')) {
    const name = /^\.\/(?<name>(@[^/]+\/)?[^/]+)\/package\.json$/.exec(manifest)?.groups?.['name'];
    if (name !== undefined) assert(copyright.includes(`usr/lib/pghoard/node_modules/${name}/*`), `the licence of ${name}`);
  }
  assert(copyright.includes('Copyright Node.js contributors.'));
});

test('scripts can be repeated; neither an upgrade nor a purge takes configuration, keys or what waits', async () => {
  await root.say('mkdir -p /var/lib/pghoard/spool && echo wal > /var/lib/pghoard/spool/segment && chmod 700 /var/lib/pghoard');
  await install();
  await root.say('for i in 1 2; do /var/lib/dpkg/info/pghoard.postinst configure; done');
  assert.equal(await root.say('stat -c "%U %a" /var/lib/pghoard'), 'postgres 700', 'as the operator had it');
  const kept = await root.say('cd /var/lib/pghoard && sha256sum pghoard.json spool/segment');
  await root.say('cp /var/lib/dpkg/info/pghoard.postrm /tmp/');
  await succeed('dpkg', [`--root=${root.path}`, '--purge', 'pghoard']);
  assert.equal(await root.say('cd /var/lib/pghoard && sha256sum pghoard.json spool/segment'), kept);
  assert.equal(
    await root.say(
      'ls -d /usr/lib/pghoard /usr/bin/pghoard* /usr/share/doc/pghoard /etc/systemd/system/*/pghoard.service 2> /dev/null || true',
    ),
    '',
  );
  assert.match(await root.say('getent passwd postgres'), /^postgres:/);
  await root.say('rm -r /var/lib/pghoard/* && for i in 1 2; do /tmp/pghoard.postrm purge; done');
  assert.equal(await root.say('ls -d /var/lib/pghoard 2> /dev/null || true'), '', 'what holds nothing goes');
});

test('lintian finds no error', async () => {
  const { stdout } = await runProgram('lintian', ['--allow-root', '--fail-on', 'error', deb]);
  assert.doesNotMatch(stdout, /^E:/m);
});
