import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { archiveCommandTo, TestDaemon } from '../support/daemon.ts';
import { freePort } from '../support/free-port.ts';
import { TestPostgres } from '../support/postgres.ts';
import { TestSite } from '../support/test-site.ts';
import { waitFor } from '../support/wait-for.ts';

/** Long enough for a slow machine. */
const lease_seconds = 6;

interface SiteState {
  readonly because: string;
  readonly lease: { readonly held: boolean; readonly because: string; readonly holder: { readonly pid: number } | null };
}

describe('a restored copy beside its original, each with a daemon of its own, on one site', () => {
  let site: TestSite;
  let copy: TestPostgres;
  let second: TestDaemon;

  before(async () => {
    site = await TestSite.start({ site: { basebackup_interval_hours: null, lease_seconds } });
    await site.basebackup();
    await site.archiveAll();
    const port = await freePort();
    const settings = { archive_mode: 'on', archive_command: archiveCommandTo(port) };
    copy = await site.recovered('copy', [], { settings });
    const { object_storage } = await site.daemon.siteConfig();
    const directory = site.place('second');
    second = await TestDaemon.start({
      directory,
      postgres: copy,
      port,
      site: { basebackup_interval_hours: null, lease_seconds, object_storage },
    });
  });
  after(async () => {
    await second?.[Symbol.asyncDispose]();
    await copy?.[Symbol.asyncDispose]();
    await site?.[Symbol.asyncDispose]();
  });

  test('the second one waits, says for whom, and takes no base backups', async () => {
    const waiting = await stateOf(second, ({ lease }) => lease.holder !== null);
    assert.equal(waiting.lease.held, false);
    assert.equal(waiting.lease.holder?.pid, site.daemon.pid);
    assert.match(waiting.because, new RegExp(`another daemon works on the site: pghoard .* \\(process ${site.daemon.pid}\\) does it`));
    assert.match(second.log, /this one waits, and goes on archiving and restoring/);
    const refused = await second.request('PUT', '/main/basebackup');
    assert.deepEqual([refused.status, refused.headers.get('x-pghoard-code')], [409, 'lease-elsewhere']);
    assert.equal((await stateOf(site.daemon, () => true)).lease.held, true);
  });

  test('it archives and restores all the same', async () => {
    const name = await copy.switchWal();
    assert.match(name, /^00000002/);
    await second.archived(name);
    const { status } = await second.request('HEAD', `/main/archive/${name}`);
    assert.equal(status, 200);
  });

  test('when the first one is killed it takes over in its time; the first one waits when it comes back', async () => {
    const takesOver = saysLater(second, /this daemon works on the site: .* has not been heard of for \d+ s/);
    await site.daemon.kill9();
    await takesOver;
    await second.basebackup();
    const waits = saysLater(site.daemon, new RegExp(`\\(process ${second.pid}\\) does it; this one waits`));
    await site.daemon.launch();
    await waits;
    await site.archiveAll();
  });

  test('one that sleeps too long finds the other one at work when it wakes, and leaves it to that', async () => {
    const takesOver = saysLater(site.daemon, /this daemon works on the site/);
    process.kill(second.pid ?? 0, 'SIGSTOP');
    await takesOver;
    const waits = saysLater(second, new RegExp(`\\(process ${site.daemon.pid}\\) does it; this one waits`));
    process.kill(second.pid ?? 0, 'SIGCONT');
    await waits;
    await waitFor(() => existsSync(leaseLost()), { withinMs: 20_000, what: () => `the alert lease_lost is raised:\n${second.log}` });
  });

  test('one that is killed and started again goes on at once; one that is stopped is followed at once', async () => {
    const goesOn = saysLater(site.daemon, /this daemon works on the site: the process before this one had it/);
    await site.daemon.kill9();
    await site.daemon.launch();
    await goesOn;
    const follows = saysLater(second, /this daemon works on the site: .* has let go of it/);
    assert.equal(await site.daemon.stop(), 0, site.daemon.log);
    await follows;
    await second.basebackup();
    await waitFor(() => !existsSync(leaseLost()), { withinMs: 20_000, what: () => `the alert lease_lost goes:\n${second.log}` });
    await site.daemon.launch();
  });

  test('where both are promoted to one timeline the second one is told what to do', async () => {
    const { postgres } = site;
    await writeFile(join(postgres.dataDirectory, 'standby.signal'), '');
    await postgres.restart();
    await postgres.query('SELECT pg_promote()');
    const refusal =
      /wal-conflict: 00000002\.history is already stored with other content[^]*Two servers were promoted to this timeline[^]*site of its own/;
    await waitFor(() => refusal.test(postgres.log()), { withinMs: 30_000, what: () => `PostgreSQL is told:\n${postgres.log()}` });
  });

  function leaseLost(): string {
    return join(second.directory, 'alerts', 'lease_lost');
  }

  /** Begins to wait for what the daemon logs from now on. */
  async function saysLater(daemon: TestDaemon, what: RegExp, withinMs = 20_000): Promise<void> {
    const from = daemon.log.length;
    await waitFor(() => what.test(daemon.log.slice(from)), { withinMs, what: () => `${what} is logged:\n${daemon.log.slice(from)}` });
  }

  async function stateOf(daemon: TestDaemon, isSo: (state: SiteState) => boolean): Promise<SiteState> {
    const look = async () => {
      const state = (await (await daemon.request('GET', '/status')).json()) as { pghoard: { sites: Record<string, SiteState> } };
      const own = state.pghoard.sites['main'] as SiteState;
      return isSo(own) && own;
    };
    return waitFor(look, { withinMs: 30_000, everyMs: 100, what: () => `the state becomes so:\n${daemon.log}` });
  }
});
