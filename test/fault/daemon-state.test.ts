import assert from 'node:assert/strict';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { runOurs } from '../support/commands.ts';
import { siteName } from '../support/daemon.ts';
import { FaultSite } from '../support/fault-site.ts';
import { waitFor } from '../support/wait-for.ts';

let site: FaultSite;

before(async () => {
  site = await FaultSite.start({ site: { basebackup_interval_hours: 24 } });
  await site.daemon.basebackups(1);
});
after(async () => site[Symbol.asyncDispose]());

interface State {
  readonly backup_sites: Record<string, { readonly basebackups: readonly { readonly name: string }[] }>;
}

async function listed(): Promise<string[]> {
  const state = (await (await site.daemon.request('GET', '/status')).json()) as State;
  return (state.backup_sites[siteName]?.basebackups ?? []).map(({ name }) => name.split('.')[0] ?? '');
}

const newer = {
  pghoard: { version: '99.0.0', alerts: 'many', sites: 5 },
  transfer_agent_state: 7,
  walreceivers: [],
  startup_time: null,
  backup_sites: 'none',
};

const damages: [what: string, damage: (stateFile: string) => Promise<void>][] = [
  ['the whole disk of the daemon, as of a new container', async () => rm(join(site.daemon.directory, 'spool'), { recursive: true })],
  ['half of the state file', async (file) => writeFile(file, (await readFile(file)).subarray(0, 200))],
  ['nothing but an empty state file', async (file) => writeFile(file, '')],
  ['a state file of a version to come', async (file) => writeFile(file, JSON.stringify(newer))],
];

for (const [what, damage] of damages) {
  test(`after kill -9 and with ${what} it finds out from the store how all stands, and goes on`, async () => {
    await site.settle();
    const complete = await site.daemon.basebackups(1);
    await site.daemon.kill9();
    const stateFile = join(site.daemon.directory, 'state.json');
    await rm(join(site.daemon.directory, 'alerts'), { recursive: true, force: true });
    await damage(stateFile);
    if (what.startsWith('the whole disk')) await rm(stateFile);
    const from = site.daemon.log.length;
    await site.daemon.launch();
    await waitFor(async () => (await listed()).join() === complete.join(), {
      withinMs: 12_000,
      what: () => `the base backups are listed: ${complete.join()}\n${site.daemon.log.slice(from)}`,
    });
    await site.settle();
    await site.check();
    assert.doesNotMatch(site.daemon.log.slice(from), /base backup begins/, 'the one there is is known');
  });
}

test('where backup_location cannot be made, the daemon says so and ends with 1', async () => {
  const config = JSON.parse(await readFile(site.daemon.configFile, 'utf8')) as Record<string, unknown>;
  const file = join(site.directory, 'unusable.json');
  await writeFile(
    file,
    JSON.stringify({
      ...config,
      http_port: 0,
      backup_location: join(site.daemon.configFile, 'spool'),
      json_state_file_path: join(site.directory, 'other.json'),
    }),
  );
  const { code, stderr } = await runOurs('pghoard', ['--config', file]);
  assert.equal(code, 1, stderr);
  assert.match(
    stderr,
    /spool-unusable: cannot use backup_location .*pghoard\.json\/spool[^]*hint: It must be a directory on a disk with room/,
  );
});
