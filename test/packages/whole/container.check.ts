import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { packageRoot } from '../../support/package-root.ts';
import { makeTemporaryDirectory, type TemporaryDirectory } from '../../support/temporary-directory.ts';
import { Buildah, type Container, type ImageConfiguration } from './buildah.ts';
import { assertRuns } from './life.ts';
import { succeed } from './place.ts';

const { version } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as { version: string };
/** As the Containerfile says. */
const uid = 999;
let scratch: TemporaryDirectory;
let buildah: Buildah;
let image: ImageConfiguration;
let container: Container;
let spool: string;

before(async () => {
  scratch = await makeTemporaryDirectory();
  const [configuration, waiting] = ['etc', 'spool'].map((name) => join(scratch.path, name)) as [string, string];
  for (const directory of [configuration, waiting]) {
    await mkdir(directory);
    await succeed('chown', [`${uid}:${uid}`, directory]);
  }
  spool = waiting;
  buildah = await Buildah.open();
  await buildah.build(await buildah.makeBaseImages());
  const name = `localhost/pghoard:${version}`;
  image = await buildah.inspect(name);
  container = await buildah.from(name, { [configuration]: '/etc/pghoard', [spool]: '/var/lib/pghoard' });
});
after(async () => {
  await succeed('rm', ['-rf', scratch.path]);
  await buildah[Symbol.asyncDispose]();
  await scratch[Symbol.asyncDispose]();
});

test('it runs as a user of its own, and keeps what waits in a volume', async () => {
  assert.deepEqual([image.User, Object.keys(image.Volumes), image.StopSignal], ['postgres', ['/var/lib/pghoard'], 'SIGTERM']);
  assert.equal(await container.say('id -u; id -g', image.User), `${uid}\n${uid}`);
  assert.equal(await container.say('stat -c "%U %G" /var/lib/pghoard', image.User), 'postgres postgres');
  assert.match(await container.say('pg_basebackup --version', image.User), /PostgreSQL/);
});

test('with its configuration mounted it lives: every command, the daemon that is well, and its end', async () => {
  const installed = {
    place: container,
    version,
    configuration: '/etc/pghoard/pghoard.json',
    start: image.Cmd.join(' '),
    isNotifying: false,
  };
  await assertRuns(installed, async (port) => {
    assert.equal(await health(port), 0);
    assert((await readdir(spool)).includes('pghoard_state.json'), 'the volume has what the daemon writes');
  });
});

test('its health check fails where nothing answers', async () => {
  const nobody = 9;
  assert.notEqual(await health(nobody), 0);
});

/** The exit code of the image's own check. */
async function health(port: number): Promise<number | null> {
  const [kind, ...command] = image.Healthcheck.Test;
  assert.equal(kind, 'CMD');
  const quoted = command.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
  const { code } = await container.run(`PGHOARD_PORT=${port} ${quoted}`, image.User);
  return code;
}
