import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { siteName } from '../support/daemon.ts';
import { TestSite } from '../support/test-site.ts';
import { waitFor } from '../support/wait-for.ts';

interface SiteState {
  readonly because: string;
  readonly basebackup_requested_since: string | null;
}

describe('a base backup that was requested', () => {
  let site: TestSite;
  let maintenanceFile: string;
  const file = () => join(site.daemon.spoolDirectory, 'requested_basebackup.json');
  const request = async () => assert.equal((await site.daemon.request('PUT', `/${siteName}/basebackup`)).status, 201);
  const told = async (words: RegExp) => {
    const state = async () => {
      const { pghoard } = JSON.parse(await readFile(join(site.daemon.directory, 'state.json'), 'utf8')) as {
        pghoard: { sites: Record<string, SiteState> };
      };
      const found = pghoard.sites[siteName];
      return found && words.test(found.because) && found;
    };
    return waitFor(state, { withinMs: 30_000, what: () => `${words} in /status:\n${site.daemon.log}` });
  };
  /** What the state file tells after some seconds only. */
  const logged = (words: RegExp, from: number) =>
    waitFor(() => words.test(site.daemon.log.slice(from)), { withinMs: 30_000, what: () => `${words} in\n${site.daemon.log}` });
  const reasons = async () => {
    const catalog = await site.daemon.catalog();
    return (await catalog.basebackups()).entries.map(({ metadata }) => metadata['backup-reason']);
  };
  const taken = (count: number) =>
    waitFor(async () => (await reasons()).length === count && !existsSync(file()), {
      withinMs: 30_000,
      what: () => `${count} backups\n${site.daemon.log}`,
    });

  before(async () => {
    site = await TestSite.start({ initdb: ['--wal-segsize=1'] });
    maintenanceFile = join(site.daemon.directory, 'maintenance');
    await site.daemon.reconfigure({ global: { maintenance_mode_file: maintenanceFile } });
  });
  after(() => site?.[Symbol.asyncDispose]());

  test('waits for the end of maintenance, also over a crash, while WAL goes on, and is taken once', async () => {
    const begun = site.daemon.log.length;
    await writeFile(maintenanceFile, '');
    await request();
    await logged(/maintenance mode is on; the base backup that was requested waits/, begun);
    await request();
    await site.daemon.kill9();
    await site.daemon.launch();
    const { basebackup_requested_since: since } = await told(/maintenance mode is on; the base backup that was requested waits/);
    assert.ok(since);
    assert.match(site.daemon.log, /a base backup was requested before pghoard was started/);
    await site.archiveAll();
    assert.deepEqual(await reasons(), []);
    await rm(maintenanceFile);
    await taken(1);
    await site.daemon.stop();
    await site.daemon.launch();
    const { basebackup_requested_since: nothing } = await told(/only taken on request/);
    assert.equal(nothing, null);
    assert.deepEqual(await reasons(), ['requested']);
  });

  test('waits for a server that is away, and survives that pghoard is killed while it is taken', async () => {
    const running = site.daemon.log.length;
    await site.postgres.stop();
    // Else one would be begun, and fail, and the next attempt come ten seconds later.
    await logged(/no server of the site can be used/, running);
    await request();
    await logged(/no server of the site can be used: .*waits/, running);
    const away = site.daemon.log.length;
    await site.postgres.launch();
    await waitFor(() => site.daemon.log.slice(away).includes('base backup begins'), { withinMs: 30_000, everyMs: 1, what: 'it begins' });
    await site.daemon.kill9();
    assert.ok(existsSync(file()));
    await site.daemon.launch();
    await taken(2);
    assert.deepEqual(await reasons(), ['requested', 'requested']);
  });
});
