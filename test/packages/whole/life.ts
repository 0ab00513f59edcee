import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../../support/free-port.ts';
import { NotifyListener } from '../../support/notify-listener.ts';
import { waitFor } from '../../support/wait-for.ts';
import { assertServesDashboard } from './dashboard-served.ts';
import { type Place, succeed } from './place.ts';

const commands = ['pghoard_restore', 'pghoard_archive_sync', 'pghoard_archive_cleanup', 'pghoard_create_keys', 'pghoard_postgres_command'];

/** How the daemon is started where it is installed. */
export interface Installed {
  readonly place: Place;
  readonly version: string;
  readonly configuration: string;
  readonly start: string;
  /** systemd is told how the daemon is. */
  readonly isNotifying: boolean;
}

/** A package for systemd, as its unit starts it. */
export async function byUnit(place: Place, version: string): Promise<Installed> {
  const start = await place.say('sed -n s/^ExecStart=//p /usr/lib/systemd/system/pghoard.service');
  return { place, version, configuration: '/var/lib/pghoard/pghoard.json', start, isNotifying: true };
}

/**
 * What is installed must run there: every command, the check, and the daemon as it is started there, from READY to the end that SIGTERM asks for. `whileItRuns` is
 * told the daemon's port.
 */
export async function assertRuns(installed: Installed, whileItRuns: (port: number) => Promise<void> = async () => {}): Promise<void> {
  const { place, version, configuration } = installed;
  assert.equal(await place.say('command -v node || true'), '', 'there is no Node but the one in the package');
  assert.equal(await place.say('pghoard --version', 'postgres'), version);
  for (const command of commands)
    assert.match(await place.say(`${command} --version`, 'postgres'), new RegExp(`(^|${command} )${version.replaceAll('.', '\\.')}$`));

  const port = await freePort();
  await configure(installed, port);
  const checked = await place.run(`pghoard check --config ${configuration}`, 'postgres');
  assert.equal(checked.code, 1, checked.stderr); // there is no PostgreSQL here
  assert.match(checked.stdout, /\/var\/lib\/postgresql\/15\/main/);
  assert.match(
    await place.say(`pghoard_create_keys --site main --key-id 1 --config ${configuration}`, 'postgres'),
    /^Added encryption key 1/,
  );
  await assertDaemonLives(installed, port, whileItRuns);
}

/** The sample, with its directories made, as its remarks say. */
async function configure({ place, configuration }: Installed, port: number): Promise<void> {
  const sample = await place.say('cat /usr/share/doc/pghoard/examples/pghoard.json');
  const file = join(place.path, 'tmp/pghoard.json');
  await writeFile(file, JSON.stringify({ ...(JSON.parse(sample) as object), http_port: port }));
  await place.say(`install -o postgres -g postgres -m 0600 /tmp/pghoard.json ${configuration}
install -d -o postgres -g postgres /srv/backups /var/lib/postgresql /var/lib/postgresql/15/main
echo 15 > /var/lib/postgresql/15/main/PG_VERSION`);
}

async function assertDaemonLives(
  { place, start, isNotifying }: Installed,
  port: number,
  whileItRuns: (port: number) => Promise<void>,
): Promise<void> {
  await succeed('chmod', ['777', join(place.path, 'run')]);
  await using systemd = isNotifying ? await NotifyListener.open(join(place.path, 'run/notify')) : undefined;
  const script = `cd /var/lib/pghoard; ${isNotifying ? 'NOTIFY_SOCKET=/run/notify' : ''} ${start} & daemon=$!
while [ ! -e /tmp/stop ] && kill -0 $daemon; do sleep 0.1; done; kill $daemon; wait $daemon`;
  await using daemon = place.start(script, 'postgres');
  await systemd?.heard(/^READY=1$/).catch((error: unknown) => {
    throw new Error(`the daemon is not up:\n${daemon.log}`, { cause: error });
  });
  const ask = () => fetch(`http://127.0.0.1:${port}/status`);
  const answer = await waitFor(ask, { withinMs: 60_000, what: () => `the API answers:\n${daemon.log}` });
  assert.equal(answer.status, 200);
  assert.match(answer.headers.get('server') ?? '', /^pghoard\//);
  await assertServesDashboard(port);
  await whileItRuns(port);
  await place.say('touch /tmp/stop');
  assert.equal(await daemon.ended, 0, daemon.log);
  await systemd?.heard(/^STOPPING=1$/);
}
