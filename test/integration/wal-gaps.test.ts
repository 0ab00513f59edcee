import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { siteName, TestDaemon } from '../support/daemon.ts';
import { freePort } from '../support/free-port.ts';
import { TestPostgres } from '../support/postgres.ts';
import { makeTemporaryDirectory } from '../support/temporary-directory.ts';
import { waitFor } from '../support/wait-for.ts';

interface WalState {
  readonly because: string | null;
  readonly ranges: readonly { readonly from: string; readonly to: string; readonly segments: number }[];
  readonly holes: readonly {
    readonly kind: string;
    readonly from: string;
    readonly to: string;
    readonly status: string;
    readonly mending: string | null;
  }[];
}

describe('holes in the archive', () => {
  let stack: AsyncDisposableStack;
  let postgres: TestPostgres;
  let daemon: TestDaemon;

  before(async () => {
    stack = new AsyncDisposableStack();
    const { path } = stack.use(await makeTemporaryDirectory());
    const settings = { archive_mode: 'on', archive_command: '/bin/true', wal_keep_size: '1GB' };
    postgres = stack.use(await TestPostgres.start({ initdb: ['--wal-segsize=1'], settings }));
    daemon = stack.use(await TestDaemon.start({ directory: join(path, 'pghoard'), postgres }));
    await archiveWith(daemon.archiveCommand);
    await daemon.basebackups(1);
    await addSegment();
  });
  after(() => stack.disposeAsync());

  test('what an archive_command only pretended to archive comes from pg_wal, also while nothing follows it', async () => {
    await archiveWith('/bin/true');
    const lost = [await switchAndMark(), await switchAndMark()];
    await restartWithout();
    for (const name of lost) await daemon.archived(name);
    const between = await switchAndMark();
    await archiveWith(daemon.archiveCommand);
    await addSegment();
    await daemon.archived(between);
    await isWhole();
  });

  test('what pg_wal here does not have comes from a node that does', async () => {
    const names = [await addSegment(), await addSegment()];
    await addSegment();
    const dead = `host=127.0.0.1 port=${await freePort()} user=postgres`;
    await daemon.reconfigure({ site: { pg_data_directory: join(daemon.directory, 'elsewhere'), nodes: [dead, postgres.dsn] } });
    const logged = await restartWithout(...names);
    await said(/archived WAL that was missing from another node/, logged);
    for (const name of names) await daemon.archived(name);
    await daemon.reconfigure({ site: { pg_data_directory: postgres.dataDirectory, nodes: [postgres.dsn] } });
  });

  test('what somebody deleted comes from pg_wal; where nobody has it any more a base backup is taken, and only the reach of the older ones is cut', async () => {
    const [lost, kept] = [await addSegment(), await addSegment(), await addSegment()];
    const [gone] = [await addSegment(), await addSegment()];
    await rm(join(postgres.dataDirectory, 'pg_wal', gone));
    const backups = await daemon.basebackups(1);
    const logged = await restartWithout(lost, kept, gone);
    await said(new RegExp(`WAL from ${lost} to ${kept} .2 segments. is missing`), logged);
    await said(new RegExp(`WAL segment ${gone} is missing`), logged);
    // Once for both, by whichever was noticed first.
    await said(/is missing: what was written behind it cannot be restored/, logged);
    await said(/archived WAL that was missing from the data directory/, logged);
    for (const name of [lost, kept]) await daemon.archived(name);
    await daemon.basebackups(backups.length + 1);
    await said(/a base backup from after the hole in the WAL is complete/, logged);
    await waitFor(() => !existsSync(alert()), { withinMs: 30_000, what: 'the alert is cleared' });
    const isPast = async () =>
      (await state())?.holes.map(({ from, to, status }) => [from, to, status].join()).join(' ') === `${gone},${gone},past`;
    await waitFor(isPast, { withinMs: 30_000, what: 'the state file goes on naming what is missing' });
    const { mending } = (await state())?.holes.at(-1) ?? {};
    assert.match(String(mending), /does not have WAL segment/);
  });

  function alert(): string {
    return join(daemon.directory, 'alerts', 'wal_gap');
  }

  /** Deletes them from the store while the daemon is down; returns where its log ended. */
  async function restartWithout(...names: string[]): Promise<number> {
    await daemon.stop();
    const catalog = await daemon.catalog();
    for (const name of names) await catalog.store.delete(catalog.walKey(name));
    const logged = daemon.log.length;
    await daemon.launch();
    return logged;
  }

  async function state(): Promise<WalState | undefined> {
    const everything = JSON.parse(await readFile(join(daemon.directory, 'state.json'), 'utf8')) as {
      pghoard: { sites: Record<string, { wal: WalState }> };
    };
    return everything.pghoard.sites[siteName]?.wal;
  }

  async function isWhole(): Promise<void> {
    const isSo = async () => {
      const wal = await state();
      return !existsSync(alert()) && wal?.because === null && wal.holes.length === 0 && wal.ranges.length === 1;
    };
    await waitFor(isSo, { withinMs: 30_000, what: () => `neither the state file nor an alert tells of a hole\n${daemon.log}` });
  }

  async function said(words: RegExp, from: number): Promise<void> {
    await waitFor(() => words.test(daemon.log.slice(from)), { withinMs: 30_000, what: () => `${words} in\n${daemon.log}` });
  }

  async function addSegment(): Promise<string> {
    const name = await switchAndMark();
    await daemon.archived(name);
    return name;
  }

  /** Ends a segment and waits until PostgreSQL believes that it is archived. */
  async function switchAndMark(): Promise<string> {
    const name = await postgres.switchWal();
    const done = join(postgres.dataDirectory, 'pg_wal', 'archive_status', `${name}.done`);
    await waitFor(() => existsSync(done), { withinMs: 30_000, what: `${name} is done` });
    return name;
  }

  async function archiveWith(command: string): Promise<void> {
    await postgres.query(`ALTER SYSTEM SET archive_command = '${command.replaceAll("'", "''")}'`);
    await postgres.query('SELECT pg_reload_conf()');
    await waitFor(async () => (await postgres.query('SHOW archive_command'))[0]?.['archive_command'] === command, {
      withinMs: 30_000,
      what: 'the setting is in force',
    });
  }
});
