import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../../support/free-port.ts';
import { NotifyListener } from '../../support/notify-listener.ts';
import { waitFor } from '../../support/wait-for.ts';
import { type CleanRoot, succeed } from './clean-root.ts';

const commands = ['pghoard_restore', 'pghoard_archive_sync', 'pghoard_archive_cleanup', 'pghoard_create_keys', 'pghoard_postgres_command'];

/** What is installed must run there: every command, the check, and the daemon as its unit starts it, from READY to the end that SIGTERM asks for. */
export async function assertRuns(root: CleanRoot, version: string): Promise<void> {
  assert.equal(await root.say('command -v node || true'), '', 'there is no Node but the one in the package');
  assert.equal(await root.say('pghoard --version', 'postgres'), version);
  for (const command of commands)
    assert.match(await root.say(`${command} --version`, 'postgres'), new RegExp(`(^|${command} )${version.replaceAll('.', '\\.')}$`));

  const port = await freePort();
  await configure(root, port);
  const checked = await root.run('pghoard check --config /var/lib/pghoard/pghoard.json', 'postgres');
  assert.equal(checked.code, 1, checked.stderr); // there is no PostgreSQL here
  assert.match(checked.stdout, /\/var\/lib\/postgresql\/15\/main/);
  assert.match(
    await root.say('pghoard_create_keys --site main --key-id 1 --config /var/lib/pghoard/pghoard.json', 'postgres'),
    /^Added encryption key 1/,
  );
  await assertDaemonLives(root, port);
}

/** The sample, with its directories made, as its remarks say. */
async function configure(root: CleanRoot, port: number): Promise<void> {
  const sample = await root.say('cat /usr/share/doc/pghoard/examples/pghoard.json');
  const file = join(root.path, 'tmp/pghoard.json');
  await writeFile(file, JSON.stringify({ ...(JSON.parse(sample) as object), http_port: port }));
  await root.say(`install -o postgres -g postgres -m 0600 /tmp/pghoard.json /var/lib/pghoard/pghoard.json
install -d -o postgres -g postgres /srv/backups /var/lib/postgresql /var/lib/postgresql/15/main
echo 15 > /var/lib/postgresql/15/main/PG_VERSION`);
}

async function assertDaemonLives(root: CleanRoot, port: number): Promise<void> {
  await succeed('chmod', ['777', join(root.path, 'run')]);
  await using systemd = await NotifyListener.open(join(root.path, 'run/notify'));
  const start = await root.say('sed -n s/^ExecStart=//p /usr/lib/systemd/system/pghoard.service');
  const script = `cd /var/lib/pghoard; NOTIFY_SOCKET=/run/notify ${start} & daemon=$!
while [ ! -e /tmp/stop ] && kill -0 $daemon; do sleep 0.1; done; kill $daemon; wait $daemon`;
  await using daemon = root.start(script, 'postgres');
  await systemd.heard(/^READY=1$/).catch((error: unknown) => {
    throw new Error(`the daemon is not up:\n${daemon.log}`, { cause: error });
  });
  const answer = await waitFor(() => fetch(`http://127.0.0.1:${port}/status`), { withinMs: 30_000, what: 'the API answers' });
  assert.match(answer.headers.get('server') ?? '', /^pghoard\//);
  await root.say('touch /tmp/stop');
  assert.equal(await daemon.ended, 0, daemon.log);
  await systemd.heard(/^STOPPING=1$/);
}
