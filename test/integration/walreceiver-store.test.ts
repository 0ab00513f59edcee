import assert from 'node:assert/strict';
import { readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Client } from 'pg';
import { siteName } from '../support/daemon.ts';
import { ReceivingSite } from '../support/receiving-site.ts';
import { waitFor } from '../support/wait-for.ts';

const writers = 4;

describe('commits that wait until their WAL is in the store (wal_durability: store)', () => {
  let site: ReceivingSite;

  before(async () => {
    const settings = { synchronous_standby_names: 'pghoard_walreceiver', synchronous_commit: 'local' };
    site = await ReceivingSite.start({ mode: 'walreceiver', version: 'embedded', settings, site: { wal_durability: 'store' } });
    await site.logged(/receiving WAL from/);
    await site.daemon.basebackup();
  });
  after(() => site?.[Symbol.asyncDispose]());

  test('of the segment that is being written the store has one beginning, and none of those that it has whole', async () => {
    await insertSynchronously(1, 3);
    const whole = await site.addSegment();
    await insertSynchronously(500, 3);
    const areTidy = async () => {
      const [left, ...others] = await beginnings();
      return others.length === 0 && left !== undefined && left > whole;
    };
    await waitFor(areTidy, { withinMs: 30_000, what: 'only the newest beginning is left' });
  });

  test('while the store is away they wait, and others do not', async () => {
    const [partials, aside] = [join(site.daemon.storeDirectory, siteName, 'xlog_partial'), join(site.directory, 'aside')];
    await rename(partials, aside);
    await writeFile(partials, 'in the way');
    const commit = insertSynchronously(1000, 1);
    const isWaiting = async () => (await site.postgres.query(`SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep'`)).length === 1;
    await waitFor(isWaiting, { withinMs: 30_000, what: 'the commit waits' });
    await site.logged(/cannot store the beginning of a WAL segment, trying again/);
    await site.postgres.query('INSERT INTO ledger VALUES (1001, md5(1001::text))');
    assert.ok(await isWaiting());
    await rm(partials);
    await rename(aside, partials);
    await commit;
  });

  test('every commit that returned is restored from the store alone, with server, daemon and their disks gone', async () => {
    const committed: number[] = [];
    const writing = Array.from({ length: writers }, (_, writer) => write(10_000 * (writer + 1), committed).catch(() => {}));
    await waitFor(() => committed.length > 150, { withinMs: 30_000, what: 'there are commits' });
    await site.postgres.kill9();
    await Promise.all(writing);
    await site.daemon.kill9();
    await rm(site.postgres.dataDirectory, { recursive: true });
    await rm(site.daemon.spoolDirectory, { recursive: true });
    await site.daemon.launch();
    await using restored = await site.restored('from-the-store');
    const rows = await restored.query('SELECT id FROM ledger WHERE entry = md5(id::text)');
    const found = new Set(rows.map(({ id }) => id));
    assert.deepEqual(
      committed.filter((id) => !found.has(id)),
      [],
    );
  });

  async function beginnings(): Promise<string[]> {
    const names = await readdir(join(site.daemon.storeDirectory, siteName, 'xlog_partial'));
    return names.filter((name) => /^[0-9A-F]{24}\.[0-9A-F]{8}\.partial$/.test(name));
  }

  async function connected(): Promise<Client> {
    const client = new Client({ host: site.postgres.socketDirectory, port: site.postgres.port, user: 'postgres', database: 'postgres' });
    client.on('error', () => {});
    await client.connect();
    await client.query('SET synchronous_commit = on');
    return client;
  }

  async function insertSynchronously(first: number, count: number): Promise<void> {
    const client = await connected();
    for (let id = first; id < first + count; id++) await client.query('INSERT INTO ledger VALUES ($1::int, md5($1::int::text))', [id]);
    await client.end();
  }

  /** Until the server is gone. */
  async function write(first: number, committed: number[]): Promise<void> {
    const client = await connected();
    for (let id = first; ; id++) {
      await client.query('INSERT INTO ledger VALUES ($1::int, md5($1::int::text))', [id]);
      committed.push(id);
    }
  }
});
