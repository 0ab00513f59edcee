import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import type { AlertName } from '../../src/daemon/alerts/alert-catalogue.ts';
import type { AlertEvent } from '../../src/daemon/alerts/alert-event.ts';
import { systemUser, TestPostgres } from '../support/postgres.ts';
import { clientProgram } from '../support/postgres-programs.ts';
import { type GcsFault, TestGcs } from '../support/services/gcs.ts';
import { HttpStub } from '../support/services/http-stub.ts';
import { makeSmallDisk, type SmallDisk } from '../support/small-disk.ts';
import { TestSite } from '../support/test-site.ts';
import { waitFor } from '../support/wait-for.ts';

const withinMs = 60_000;
const password = 'hidden-password';
const hookToken = 'hidden-hook-token';
const beatToken = 'hidden-beat-token';
/** Writes the event that it is started for into a file. */
const script = 'cat > /dev/null; echo "$PGHOARD_EVENT_ID $PGHOARD_EVENT $PGHOARD_SITE $PGHOARD_ALERT" >> "$0"';

function refusal(status: number): GcsFault {
  const body = JSON.stringify({ error: { code: status, message: 'not now', errors: [{ reason: 'backendError', message: 'not now' }] } });
  return { status, body, headers: { 'content-type': 'application/json' } };
}

describe('alerts, raised and cleared by their causes, for a webhook, a command and a heartbeat', () => {
  let gcs: TestGcs;
  let hook: HttpStub;
  let hookStatus = 200;
  let site: TestSite;
  /** A site of its own, whose WAL is received by a program. */
  let other: TestPostgres;
  let disk: SmallDisk | undefined;

  before(async () => {
    gcs = await TestGcs.start();
    hook = await HttpStub.start(({ path }) => ({ status: path.includes(beatToken) ? 200 : hookStatus }));
    site = await TestSite.start({
      hba: ['host all backup 127.0.0.1/32 scram-sha-256', 'host replication backup 127.0.0.1/32 scram-sha-256'],
      site: {
        object_storage: storage(),
        heartbeat_url: `${hook.url}/${beatToken}`,
        heartbeat_interval_seconds: 1,
      },
      global: { upload_retries_warning_limit: 1, alerts: alertsIn('/dev/null') },
    });
    await site.postgres.query(`CREATE ROLE backup SUPERUSER LOGIN REPLICATION PASSWORD '${password}'`);
    other = await TestPostgres.start({ version: 'embedded' });
    await site.daemon.reconfigure({
      // Only now, as what is told before goes to /dev/null.
      site: { nodes: [`postgres://backup:${password}@127.0.0.1:${site.postgres.port}/postgres`], basebackup_interval_hours: 24 },
      others: { other: await otherSite('embedded') },
      global: { alerts: alertsIn(site.place('told')) },
    });
    await site.daemon.basebackups(1);
    await site.archiveAll();
  });
  after(async () => {
    await other?.[Symbol.asyncDispose]();
    await site?.daemon.kill9();
    await disk?.[Symbol.asyncDispose]();
    await site?.[Symbol.asyncDispose]();
    await hook?.[Symbol.asyncDispose]();
    await gcs?.[Symbol.asyncDispose]();
  });

  test('the heart beats as soon as it is certain that the site can be restored', async () => {
    await heartbeats();
  });

  test('a store that is throttled to a standstill, a server that is down, and a webhook that does not answer meanwhile', async () => {
    hookStatus = 503;
    await other.stop();
    gcs.faults.push(() => refusal(503));
    await site.postgres.query('CREATE TABLE later AS SELECT 1 AS one');
    await site.postgres.switchWal();
    const isSilent = async () => (await told()).heartbeats['main']?.is_well === false;
    await waitFor(isSilent, { withinMs, what: () => `the heart is silent:\n${site.daemon.log.slice(-5000)}` });
    const beats = beatsSeen();
    await alerted('upload_retries_warning', 'store_throttled', 'wal_not_archived', 'restorable_window_stalled', 'configuration_error');
    assert.equal(beatsSeen(), beats);
    const isShown = async () => {
      const { channels, sites } = await told();
      const [webhook, command] = ['webhook', 'command'].map((kind) => channels.find(({ channel }) => channel === kind));
      const isThrottled = (sites['main']?.store_throttled_seconds ?? 0) > 0;
      return webhook?.because?.includes('answered 503') === true && command?.failing_since === null && isThrottled;
    };
    await waitFor(isShown, {
      withinMs,
      what: () => `/status shows which channel fails, and that the store throttles:\n${site.daemon.log.slice(-5000)}`,
    });

    mend();
    await other.launch();
    await site.archiveAll();
    await gone('upload_retries_warning', 'wal_not_archived', 'restorable_window_stalled', 'configuration_error');
    await heartbeats();
    hookStatus = 200;
    // From here on nothing new is stored for longer than that.
    await site.daemon.reconfigure({ global: { alerts: { ...alertsIn(site.place('told')), window_age_seconds: 3600 } } });
  });

  test('base backups that fail', async () => {
    await site.postgres.query('ALTER ROLE backup NOSUPERUSER');
    const { status } = await site.daemon.request('PUT', '/main/basebackup');
    assert.equal(status, 201);
    await alerted('basebackup_failing');
    await site.postgres.query('ALTER ROLE backup SUPERUSER');
    await gone('basebackup_failing');
  });

  test('a base backup that is due, and a maintenance file that somebody forgot', async () => {
    const file = join(site.daemon.directory, 'maintenance');
    await writeFile(file, '');
    await site.daemon.reconfigure({ site: { basebackup_interval_hours: 1 / 3600 } });
    await alerted('basebackup_overdue');
    await rm(file);
    await gone('basebackup_overdue');
    await site.daemon.reconfigure({ site: { basebackup_interval_hours: 24 } });
  });

  test('a password that was changed', async () => {
    await site.postgres.query(`ALTER ROLE backup PASSWORD 'another'`);
    // A connection that is just being made still got in with the old one.
    const endConnections = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'backup'`;
    const isAlerted = async () => (await site.postgres.query(endConnections)) && existsSync(fileOf('authentication_error'));
    await waitFor(isAlerted, { withinMs, what: () => `the alert is raised:\n${site.daemon.log.slice(-5000)}` });
    await site.postgres.query(`ALTER ROLE backup PASSWORD '${password}'`);
    await gone('authentication_error');
  });

  test('a program of an older PostgreSQL; and a site that is taken out with its alerts', async () => {
    await site.daemon.reconfigure({ others: { other: await otherSite('15') } });
    await alerted('version_mismatch_error');
    await site.daemon.reconfigure({ others: { other: await otherSite('embedded') } });
    await gone('version_mismatch_error');
    // None is ever taken of it: nothing has to fail first.
    const outgrown = await otherSite('embedded', '15');
    await site.daemon.reconfigure({ others: { other: { ...outgrown, basebackup_mode: 'pipe' } } });
    await alerted('version_mismatch_error');
    await site.daemon.reconfigure({ others: { other: undefined } });
    await gone('version_mismatch_error');
  });

  test('a disk that is nearly full', async () => {
    const path = site.place('small');
    disk = await makeSmallDisk(path, 32 * 1024 * 1024);
    await mkdir(path, { recursive: true });
    await site.daemon.reconfigure({ global: { backup_location: path } });
    await fillUp(site.daemon.pid ?? 0);
    await alerted('disk_nearly_full');
    await makeRoom(site.daemon.pid ?? 0);
    await gone('disk_nearly_full');
    await site.daemon.reconfigure({ global: { backup_location: site.daemon.spoolDirectory.replace(/\/main$/, '') } });
  });

  test('what an earlier life left goes, and people hear that it is over', async () => {
    gcs.faults.push(({ url = '' }) => (url.startsWith('/token') ? undefined : refusal(401)));
    await site.postgres.switchWal();
    await alerted('store_denied');
    await site.daemon.kill9();
    mend();
    await writeFile(fileOf('two_primaries'), 'alert');
    await site.daemon.launch();
    // The archiver of PostgreSQL sleeps for a minute after refusals; new WAL wakes it.
    await site.archiveAll();
    await gone('store_denied', 'two_primaries');
  });

  test('everything was told to both, in the same order, to its end, and no secret to anybody else', async () => {
    // Each site has channels of its own here, and the same event may come twice.
    const bySite = (lines: readonly string[]) => Map.groupBy(new Set(lines), (line) => line.split(' ')[2]);
    const linesOf = (text: string) =>
      text
        .trimEnd()
        .split('\n')
        .map((line) => line.trimEnd());
    const command = async () => bySite(linesOf(await readFile(site.place('told'), 'utf8')));
    const isOver = (all: readonly AlertEvent[]) => all.at(-1)?.alert === null || all.at(-1)?.event === 'alert.cleared';
    const isAllTold = async () =>
      isDeepStrictEqual(await command(), bySite(events().map(lineOf))) && [...bySubject().values()].every(isOver);
    await waitFor(isAllTold, {
      withinMs,
      what: () =>
        `all is told, and over; to the webhook:\n${events().map(lineOf).join('\n')}\nto the command:\n${readFileSync(site.place('told'), 'utf8')}`,
    });
    const kinds = bySubject();
    for (const [subject, all] of kinds) {
      const states = all.map(({ event }) => event).filter((event) => event.startsWith('alert.'));
      const expected = states.map((_, at) => (at % 2 === 0 ? 'alert.raised' : 'alert.cleared'));
      assert.deepEqual(states, expected, subject);
    }
    for (const subject of ['basebackup.completed', 'basebackup.failed', 'version_mismatch_error of other', 'disk_nearly_full of null'])
      assert.ok(kinds.has(subject), `${subject} is among ${[...kinds.keys()].join(', ')}`);
    const status = await (await site.daemon.request('GET', '/status')).text();
    assert.doesNotMatch(site.daemon.log + status, new RegExp(`${password}|${hookToken}|${beatToken}`));
  });

  function storage() {
    return {
      storage_type: 'google',
      project_id: 'test-project',
      bucket_name: 'backups',
      api_endpoint: gcs.url,
      credentials: gcs.serviceAccount,
    };
  }

  /** Nothing is waited for, so that the test need not wait either. */
  function alertsIn(file: string) {
    return {
      webhook: { url: `${hook.url}/${hookToken}` },
      command: ['sh', '-c', script, file],
      after_seconds: 0,
      settle_seconds: 0,
      basebackup_failures: 1,
      basebackup_overdue_seconds: 1,
      wal_stalled_seconds: 1,
      // A server is asked every few seconds.
      window_age_seconds: 8,
      throttled_seconds: 1,
    };
  }

  async function otherSite(receiving: '15' | 'embedded', basebackup: '15' | 'embedded' = 'embedded') {
    return {
      nodes: [other.dsn],
      pg_data_directory: other.dataDirectory,
      active_backup_mode: 'pg_receivexlog',
      basebackup_interval_hours: null,
      pg_receivexlog_path: await clientProgram('pg_receivewal', receiving),
      pg_basebackup_path: await clientProgram('pg_basebackup', basebackup),
      object_storage: { storage_type: 'local', directory: site.place('other-store') },
      // Of a site that takes no base backups nobody needs to hear that it cannot be restored.
      alerts: { ...alertsIn(site.place('told')), window_age_seconds: 3600 },
    };
  }

  function mend(): void {
    gcs.faults.length = 0;
  }

  /** As root there is a small disk. Others may not mount one: for them the limit moves, not the disk. */
  async function fillUp(pid: number): Promise<void> {
    if (systemUser().uid !== undefined && process.getuid?.() === 0) await disk?.fill(pid, 1024 * 1024);
    else await site.daemon.reconfigure({ global: { alerts: { ...alertsIn(site.place('told')), disk_free_percent: 100 } } });
  }

  async function makeRoom(pid: number): Promise<void> {
    if (process.getuid?.() === 0) await disk?.makeRoom(pid);
    else await site.daemon.reconfigure({ global: { alerts: alertsIn(site.place('told')) } });
  }

  function fileOf(name: AlertName): string {
    return join(site.daemon.directory, 'alerts', name);
  }

  async function alerted(...names: readonly AlertName[]): Promise<void> {
    for (const name of names)
      await waitFor(() => existsSync(fileOf(name)), {
        withinMs,
        what: () => `the alert ${name} is raised:\n${site.daemon.log.slice(-5000)}`,
      });
  }

  async function gone(...names: readonly AlertName[]): Promise<void> {
    for (const name of names)
      await waitFor(() => !existsSync(fileOf(name)), { withinMs, what: () => `the alert ${name} goes:\n${site.daemon.log.slice(-5000)}` });
  }

  function beatsSeen(): number {
    return hook.seen.filter(({ path }) => path.includes(beatToken)).length;
  }

  async function heartbeats(): Promise<void> {
    const seen = beatsSeen();
    await waitFor(() => beatsSeen() > seen, { withinMs, what: () => `a heartbeat:\n${site.daemon.log.slice(-5000)}` });
  }

  function events(): AlertEvent[] {
    const posted = hook.seen.filter(({ path }) => path.includes(hookToken));
    return posted.map(({ body }) => JSON.parse(body.toString()) as AlertEvent);
  }

  function bySubject(): Map<string, AlertEvent[]> {
    const once = new Map(events().map((event) => [event.id, event])).values();
    return Map.groupBy(once, ({ alert, site: name, event }) => (alert ? `${alert.name} of ${name}` : event));
  }

  async function told() {
    const { pghoard } = (await (await site.daemon.request('GET', '/status')).json()) as {
      readonly pghoard: {
        readonly alerts: readonly unknown[];
        readonly alerting: {
          readonly channels: readonly {
            readonly channel: string;
            readonly because: string | null;
            readonly failing_since: string | null;
          }[];
          readonly heartbeats: Readonly<Record<string, { readonly is_well: boolean }>>;
        };
        readonly sites: Readonly<Record<string, { readonly store_throttled_seconds: number }>>;
      };
    };
    return { alerts: pghoard.alerts, sites: pghoard.sites, ...pghoard.alerting };
  }
});

function lineOf({ id, event, site, alert }: AlertEvent): string {
  return `${id} ${event} ${site ?? ''} ${alert?.name ?? ''}`.trimEnd();
}
