import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { runOurs } from '../support/commands.ts';
import { archiveCommandTo } from '../support/daemon.ts';
import { entriesBelow } from '../support/entries-below.ts';
import { packageRoot } from '../support/package-root.ts';
import { TestPostgres } from '../support/postgres.ts';
import { TestSite } from '../support/test-site.ts';
import { waitFor } from '../support/wait-for.ts';

describe('a site and the clusters that come to it', () => {
  let site: TestSite;
  let successor: TestPostgres;

  before(async () => {
    site = await TestSite.start({ site: { basebackup_interval_hours: null } });
    await site.postgres.query(`CREATE TABLE whose AS SELECT 'the first' AS cluster`);
    await promote(site.postgres);
    await site.basebackup();
    await site.archiveAll();
    successor = await TestPostgres.start();
    await successor.query(`CREATE TABLE whose AS SELECT 'the second' AS cluster`);
  });
  after(async () => {
    await successor?.[Symbol.asyncDispose]();
    await site?.[Symbol.asyncDispose]();
  });

  test('the store tells of which cluster it is, and so does /status', async () => {
    const [control] = await site.postgres.query('SELECT system_identifier::text AS id FROM pg_control_system()');
    const stored = JSON.parse(await readFile(join(site.daemon.storeDirectory, 'main', 'site_identity'), 'utf8')) as Identity;
    assert.deepEqual([stored.system_identifier, stored.wal_segment_size], [control?.['id'], 16 * 1024 * 1024]);
    const shown = async () => (await siteState()).identity?.major_versions[0];
    assert.equal(await waitFor(shown, { withinMs: 30_000, what: 'the state file tells' }), '15');
    assert.equal((await siteState()).identity?.system_identifier, stored.system_identifier);
  });

  test('a store that is not mounted gets nothing, and is told; once it is there all goes on', async () => {
    const { daemon, postgres } = site;
    await daemon.stop();
    const [store, aside] = [daemon.storeDirectory, site.place('unmounted')];
    await rename(store, aside);
    await mkdir(store);
    await daemon.launch();
    await alerted('store_empty');
    assert.equal((await daemon.request('PUT', '/main/basebackup')).status, 201);
    const name = await postgres.switchWal();
    await waitFor(() => /store-empty|nothing at all there/.test(postgres.log()) || daemon.log.includes('upload failed'), {
      withinMs: 30_000,
      what: () => `the segment is not stored:\n${daemon.log}`,
    });
    await waitFor(async () => (await siteState()).because.includes('now has nothing at all there'), {
      withinMs: 30_000,
      what: 'it is said',
    });
    assert.deepEqual(await entriesBelow(store), []);
    await rm(store, { recursive: true });
    await rename(aside, store);
    await daemon.archived(name);
    await daemon.basebackups(2);
  });

  test('a cluster that was made anew is refused under the old site, whichever way it comes, and nothing stored changes', async () => {
    const { daemon } = site;
    await site.postgres.stop();
    const storedBefore = await storedFiles();
    await daemon.reconfigure({ site: { nodes: [successor.dsn], pg_data_directory: successor.dataDirectory } });
    await alerted('cluster_mismatch');
    await archiveTo('main');
    await successor.switchWal();
    await waitFor(
      () => /cluster-mismatch: .*is WAL of another cluster: its system identifier is \d+, not \d+[^]*A new cluster/.test(successor.log()),
      {
        withinMs: 30_000,
        what: () => `PostgreSQL is told:\n${successor.log()}`,
      },
    );
    await daemon.request('PUT', '/main/basebackup');
    const isSaid = async () => /nothing is stored or deleted: .*is of another cluster than site main/.test((await siteState()).because);
    await waitFor(isSaid, { withinMs: 30_000, what: 'no base backup is taken' });
    for (const mode of ['pipe', 'basic', 'delta']) {
      await daemon.reconfigure({ site: { basebackup_mode: mode } });
      await waitFor(isSaid, { withinMs: 30_000, what: `no base backup of mode ${mode} is taken` });
    }
    assert.deepEqual(await storedFiles(), storedBefore);
  });

  test('a site of its own, as the guide has it, takes it in: its WAL, a base backup at once, and restores of both clusters', async () => {
    const { daemon } = site;
    const [old = ''] = await daemon.basebackups(1);
    const others = JSON.parse(adapted(await guideBlock())) as Record<string, Record<string, unknown>>;
    await daemon.reconfigure({ site: { active: false, pg_data_directory: site.postgres.dataDirectory }, others });
    await archiveTo('main17');
    const name = await successor.switchWal();
    // A base backup that is complete lets older WAL go.
    for (const fact of [new RegExp(`archived WAL file site=main17 wal=${name}`), /base backup is complete.* site=main17/]) {
      await waitFor(() => fact.test(daemon.log), { withinMs: 60_000, what: () => `${fact}:\n${daemon.log}` });
    }
    assert.equal(await clusterIn('new', ['--site', 'main17']), 'the second');
    assert.equal(await clusterIn('old', ['--site', 'main17', '--basebackup', `main/basebackup/${old}`]), 'the first');
    assert.doesNotMatch(daemon.log, /by a bug|no base backup leads to timeline 2/);
  });

  /** Restores, recovers to the end, and asks the server whose it is. */
  async function clusterIn(place: string, flags: readonly string[]): Promise<unknown> {
    const target = site.place(place);
    const args = ['get-basebackup', '--config', site.daemon.configFile, '--target-dir', target, '--restore-to-primary', ...flags];
    const { code, stdout, stderr } = await runOurs('restore', args);
    assert.equal(code, 0, stdout + stderr);
    await using server = await site.startOn(target);
    await server.promoted();
    return (await server.query('SELECT cluster FROM whose'))[0]?.['cluster'];
  }

  async function alerted(name: string): Promise<void> {
    const isThere = () => existsSync(join(site.daemon.directory, 'alerts', name));
    await waitFor(isThere, { withinMs: 30_000, what: () => `the alert ${name} is raised:\n${site.daemon.log}` });
  }

  async function archiveTo(name: string): Promise<void> {
    await successor.query(`ALTER SYSTEM SET archive_command = '${archiveCommandTo(site.daemon.port, name)}'`);
    if ((await successor.query('SHOW archive_mode'))[0]?.['archive_mode'] === 'on') await successor.query('SELECT pg_reload_conf()');
    else {
      await successor.query(`ALTER SYSTEM SET archive_mode = 'on'`);
      await successor.restart();
    }
  }

  async function storedFiles(): Promise<unknown> {
    const entries = await entriesBelow(site.daemon.storeDirectory);
    // The index of a segment follows it in its own time.
    return entries
      .filter(({ name, parentPath }) => !join(parentPath, name).includes('/xlog_index'))
      .map(({ name }) => name)
      .toSorted();
  }

  async function siteState(): Promise<SiteState> {
    const state = (await (await site.daemon.request('GET', '/status')).json()) as { pghoard: { sites: Record<string, SiteState> } };
    return state.pghoard.sites['main'] as SiteState;
  }

  function adapted(text: string): string {
    return text
      .replace('host=/var/run/postgresql user=postgres dbname=postgres', successor.dsn)
      .replace('/var/lib/postgresql/17/main', successor.dataDirectory)
      .replace('/backups', site.daemon.storeDirectory);
  }
});

interface Identity {
  readonly system_identifier: string;
  readonly wal_segment_size: number;
  readonly major_versions: readonly string[];
}

interface SiteState {
  readonly because: string;
  readonly identity: Identity | null;
}

async function guideBlock(): Promise<string> {
  const guide = await readFile(join(packageRoot, 'docs/guide.md'), 'utf8');
  const section = guide.split(/^## /m).find((part) => part.includes('A new cluster, or a copy\n')) ?? '';
  return /```json\n([^]*?)```/.exec(section)?.[1] ?? '';
}

/** Onto timeline 2, whose history file no other cluster may get. */
async function promote(postgres: TestPostgres): Promise<void> {
  await writeFile(join(postgres.dataDirectory, 'standby.signal'), '');
  await postgres.restart();
  await postgres.query('SELECT pg_promote()');
  await postgres.promoted();
}
