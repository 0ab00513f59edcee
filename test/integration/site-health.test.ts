import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type HealthDocument, healthDocument } from '../../src/daemon/health/health-document.ts';
import type { ProgramResult } from '../../src/lib/subprocess.ts';
import { commandLine, runOurs } from '../support/commands.ts';
import { siteName } from '../support/daemon.ts';
import { TestGcs } from '../support/services/gcs.ts';
import { TestSite } from '../support/test-site.ts';
import { waitFor } from '../support/wait-for.ts';

interface State {
  readonly pghoard: { readonly sites: Readonly<Record<string, { readonly health: unknown }>> };
}

const withinMs = 60_000;

describe('how a site is, through its life', () => {
  let gcs: TestGcs;
  let site: TestSite;

  before(async () => {
    gcs = await TestGcs.start();
    const object_storage = {
      storage_type: 'google',
      project_id: 'test-project',
      bucket_name: 'backups',
      api_endpoint: gcs.url,
      credentials: gcs.serviceAccount,
    };
    const broken = { basebackup_mode: 'basic', pg_basebackup_path: '/bin/false' };
    site = await TestSite.start({ initdb: ['--wal-segsize=1'], settings: { wal_keep_size: '0' }, site: { object_storage, ...broken } });
  });
  after(async () => {
    await site?.[Symbol.asyncDispose]();
    await gcs?.[Symbol.asyncDispose]();
  });

  test('at first there is nothing to restore, and it says why', async () => {
    const { restorable, basebackups, verdict } = await becomes('nothing is restorable', ({ basebackups: { count } }) => count === 0);
    assert.deepEqual([restorable.is, restorable.state, restorable.until], [false, 'no', null]);
    assert.match(restorable.because, /no complete base backup/);
    assert.deepEqual([verdict.is, basebackups.newest], ['failure', null]);
  });

  test('base backups that fail are not counted, but told (fault row 96)', async () => {
    assert.equal((await site.daemon.request('PUT', `/${siteName}/basebackup`)).status, 201);
    const { basebackups, restorable, verdict } = await becomes('a base backup has failed', ({ basebackups: { failures } }) => failures > 0);
    assert.deepEqual([basebackups.count, restorable.state], [0, 'no']);
    assert.match(verdict.because.join(), /base backups failed/);
    await site.daemon.reconfigure({ site: { basebackup_mode: 'local-tar', pg_basebackup_path: undefined } });
  });

  test('with the first base backup it is restorable, as soon as its WAL is stored', async () => {
    await site.basebackup();
    const { restorable, basebackups } = await becomes('the site is restorable', ({ restorable: { until } }) => until !== null);
    assert.ok(restorable.is && String(restorable.until) >= String(restorable.from));
    assert.deepEqual([basebackups.count, basebackups.restorable, basebackups.failures], [1, 1, 0]);
  });

  test('what is committed becomes restorable once it is stored', async () => {
    const committed = await commit();
    assert.ok(String((await health()).restorable.until) < committed, 'what is not stored is not claimed');
    await site.archiveAll();
    const stored = await becomes('the commit is within reach', ({ restorable: { until } }) => String(until) > committed);
    assert.match(stored.restorable.because, /^all .* is stored/);
    assert.deepEqual([stored.wal_lag.seconds, stored.verdict], [0, { is: 'ok', because: [] }]);
  });

  test('an idle server stays fresh, whatever it writes without a commit (fault row 40)', async () => {
    const { restorable } = await health();
    await site.postgres.query('CHECKPOINT');
    const isFresh = ({ wal_lag: lag, restorable: { until } }: HealthDocument) =>
      Number(lag.bytes) > 0 && String(until) > String(restorable.until);
    const later = await becomes('the newest second goes on, though the server has written more', isFresh);
    assert.ok(Number(later.restorable.until_seconds_ago) < 10);
  });

  test('a store that is cut off stops it, and it says so; once it is back all goes on', async () => {
    gcs.faults.push(() => 'reset');
    const committed = await commit();
    await site.postgres.switchWal();
    const cut = await becomes(
      'the store is out of reach',
      ({ store, wal_lag: lag }) => store.reachable === false && Number(lag.seconds) > 0,
    );
    assert.ok(String(cut.restorable.until) < committed);
    assert.equal(cut.verdict.is, 'attention');
    assert.match(cut.verdict.because.join(), /no request to the store has succeeded since .*cannot be reached.* \(store-unreachable\)/);
    assert.match(cut.restorable.because, /the server has written WAL that is not stored yet/);
    const later = await becomes('the lag grows', ({ wal_lag: lag }) => Number(lag.seconds) > Number(cut.wal_lag.seconds));
    assert.equal(later.restorable.until, cut.restorable.until, 'the newest second stands still');
    gcs.faults.length = 0;
    await site.archiveAll();
    const back = await becomes('all is stored', ({ restorable: { until } }) => String(until) > committed);
    await becomes('nothing is wrong', ({ verdict }) => verdict.is === 'ok');
    assert.equal(back.store.reachable, true);
  });

  test('nothing behind a hole is restorable, until a base backup from behind it is complete; and a restart forgets nothing', async () => {
    const committed = await commit();
    await site.archiveAll();
    await becomes('the commit is within reach', ({ restorable: { until } }) => String(until) > committed);
    await commit();
    const lost = await site.archiveAll();
    await site.archiveAll();
    await site.daemon.stop();
    const catalog = await site.daemon.catalog();
    await catalog.store.delete(catalog.walKey(lost));
    await rm(join(site.postgres.dataDirectory, 'pg_wal', lost), { force: true });
    await site.daemon.launch();
    const holed = await becomes('the hole is known', ({ restorable: { because } }) => because.includes(`WAL segment ${lost} is missing`));
    assert.ok(
      holed.restorable.is && String(holed.restorable.until) > committed,
      'what is before it can be restored, as an earlier process saw',
    );
    assert.match(holed.verdict.because.join(), /wal_gap/);
    await site.basebackup();
    const mended = await becomes('nothing is wrong', ({ verdict }) => verdict.is === 'ok');
    assert.ok(String(mended.restorable.from) > String(holed.restorable.until), 'there are two windows now');
    assert.deepEqual([mended.basebackups.count, mended.basebackups.restorable], [2, 2]);
  });

  test('pghoard status tells it: for people, for programs, for monitoring, and by its exit code', async () => {
    await becomes('nothing is wrong', ({ verdict }) => verdict.is === 'ok');
    const text = await status();
    assert.equal(text.code, 0, text.stdout + text.stderr);
    assert.match(text.stdout, /^main: ok\n {2}restorable {4}from .* to .*Z \(\d+ s ago\)\n/);
    assert.ok(!text.stdout.includes('\x1b'), 'no colours outside of a terminal');
    const { code, stdout } = await status('--json', '--site', siteName);
    const report = JSON.parse(stdout) as { verdict: string; daemon: { answers: boolean }; sites: [{ source: string; health: unknown }] };
    assert.deepEqual([code, report.verdict, report.daemon.answers, report.sites[0].source], [0, 'ok', true, 'daemon']);
    assert.equal(healthDocument.parse(report.sites[0].health).basebackups.count, 2);
    const plugin = await status('--monitoring');
    assert.deepEqual([plugin.code, plugin.stderr], [0, '']);
    assert.match(plugin.stdout, /^PGHOARD OK - main: restorable to \d+ s ago \| 'main_restorable_age'=\d+s .*'main_basebackups'=2 .*\n$/);
  });

  test('while somebody watches the daemon may restart, its state file be lost and rebuilt (fault row 101); q gives the terminal back', async () => {
    const earlier = await health();
    const line = [...commandLine('pghoard'), 'status', '--config', site.daemon.configFile, '--watch', '0.2'];
    const command = `stty rows 24 cols 80; ${line.map((word) => `'${word}'`).join(' ')}`;
    const terminal = spawn('script', ['-qfec', command, '/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'] });
    let shown = '';
    terminal.stdout.on('data', (chunk: Buffer) => (shown += chunk.toString()));
    const shows = (what: string) => waitFor(() => shown.includes(what), { withinMs, what: () => `${what} in ${JSON.stringify(shown)}` });
    await shows('main');
    await site.daemon.stop();
    shown = '';
    await shows('NO DAEMON ANSWERS');
    await rm(join(site.daemon.directory, 'state.json'));
    await site.daemon.launch();
    shown = '';
    await shows('the store answers');
    const rebuilt = await becomes('nothing is wrong', ({ verdict }) => verdict.is === 'ok');
    assert.ok(
      rebuilt.restorable.is && String(rebuilt.restorable.until) >= String(rebuilt.restorable.from),
      'as far as the base backups tell',
    );
    assert.deepEqual([rebuilt.restorable.from, rebuilt.basebackups.count], [earlier.restorable.from, earlier.basebackups.count]);
    const ended = once(terminal, 'exit');
    terminal.stdin.write('q');
    await ended;
    const [, left = ''] = shown.split('\x1b[?25h\x1b[?1049l');
    assert.match(left, /main/, 'the cursor and the screen of before are back, and the last report stays');
  });

  test('without a daemon it says so, and what the state file and the store tell', async () => {
    const { restorable } = await health();
    await site.daemon.stop();
    const state = JSON.parse(await readFile(join(site.daemon.directory, 'state.json'), 'utf8')) as State;
    assert.equal(healthDocument.parse(state.pghoard.sites[siteName]?.health).restorable.from, restorable.from);
    const { code, stdout } = await status();
    assert.equal(code, 1);
    assert.match(stdout, /^NO DAEMON ANSWERS: .*cannot be reached/);
    assert.match(stdout, /state file {4}says how it was \d+ s ago/);
    assert.match(stdout, /in the store {2}2 base backups now; newest/);
    const plugin = await status('--monitoring');
    assert.deepEqual([plugin.code, plugin.stdout.startsWith('PGHOARD CRITICAL - no daemon answers')], [2, true]);
    const nothing = await runOurs('pghoard', ['status', '--monitoring', '--config', '/nonexistent.json']);
    assert.deepEqual([nothing.code, nothing.stdout.startsWith('PGHOARD UNKNOWN - ')], [3, true]);
  });

  function status(...flags: string[]): Promise<ProgramResult> {
    return runOurs('pghoard', ['status', '--config', site.daemon.configFile, ...flags]);
  }

  async function health(): Promise<HealthDocument> {
    const answer = await site.daemon.request('GET', `/${siteName}/status`);
    assert.equal(answer.status, 200);
    return healthDocument.parse(await answer.json());
  }

  async function becomes(what: string, isSo: (health: HealthDocument) => boolean): Promise<HealthDocument> {
    let last: HealthDocument | undefined;
    const look = async () => {
      last = await health();
      return isSo(last) && last;
    };
    return waitFor(look, { withinMs, what: () => `${what}:\n${JSON.stringify(last, undefined, 1)}\n${site.daemon.log}` });
  }

  /** When it was committed, by the server. */
  async function commit(): Promise<string> {
    await site.postgres.query('CREATE TABLE IF NOT EXISTS ledger (at timestamptz)');
    const [row] = await site.postgres.query(`INSERT INTO ledger VALUES (clock_timestamp()) RETURNING at`);
    assert(row);
    return (row['at'] as Date).toISOString();
  }
});
