import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { siteName } from '../support/daemon.ts';
import { chunked } from '../support/fault-site.ts';
import type { TestPostgres } from '../support/postgres.ts';
import { ReceivingSite } from '../support/receiving-site.ts';
import { waitFor } from '../support/wait-for.ts';

describe('pghoard on the host of a standby, which it reads the files of', () => {
  let site: ReceivingSite;
  let standby: TestPostgres;
  const rows = async (server: TestPostgres) => (await server.query('SELECT count(*)::int AS rows, max(id) AS last FROM ledger'))[0];
  const addRows = (server: TestPostgres) =>
    server.query(
      'INSERT INTO ledger SELECT n, md5(n::text) FROM generate_series((SELECT max(id) + 1 FROM ledger), (SELECT max(id) + 100 FROM ledger)) AS n',
    );
  const comesBack = async (name: string, expected: TestPostgres) => {
    await using restored = await site.restored(name);
    assert.deepEqual(await rows(restored), await rows(expected));
  };

  before(async () => {
    site = await ReceivingSite.start({ mode: 'walreceiver' });
    await site.logged(/receiving WAL from/);
    await site.postgres.query(`INSERT INTO ledger VALUES (1, 'first')`);
    await site.daemon.basebackup();
    standby = await site.standby('standby');
    const node = (server: TestPostgres) => ({ connection_string: server.dsn, slot: 'pghoard' });
    const nodes = [node(site.postgres), node(standby)];
    await site.daemon.reconfigure({ site: { ...chunked, pg_data_directory: standby.dataDirectory, nodes } });
  });
  after(async () => {
    await standby?.[Symbol.asyncDispose]();
    await site?.[Symbol.asyncDispose]();
  });

  test('the standby is backed up, though the primary is named first, and the WAL that it needs is stored by itself', async () => {
    await addRows(site.postgres);
    await site.caughtUp(standby);
    const logged = site.daemon.log.length;
    const name = await site.daemon.basebackup();
    assert.match(site.daemon.log.slice(logged), new RegExp(`taken from the standby 127.0.0.1:${standby.port}`));
    const { endWalSegment = '' } = await (await site.daemon.catalog()).basebackup(name);
    await site.daemon.archived(endWalSegment, 30_000);
  });

  test('on an idle cluster the primary ends the WAL that the new base backup needs; until that is stored none goes; it comes back with all that is written later', async () => {
    await site.caughtUp(standby);
    await site.postgres.stop();
    const earlier = await site.daemon.basebackups(2);
    await site.daemon.reconfigure({ site: { basebackup_count: 2 } });
    const catalog = await site.daemon.catalog();
    // Of the restores before.
    for await (const { key } of catalog.store.list(catalog.keys.preservationPrefix)) await catalog.store.delete(key);
    const logged = site.daemon.log.length;
    const name = await site.daemon.basebackup();
    const { endWalSegment = '', backupFrom } = await catalog.basebackup(name);
    assert.equal(backupFrom, 'standby');
    const words = `base backup ${name} can be restored once WAL segment ${endWalSegment} is stored, .*no primary answers`;
    await site.logged(new RegExp(words), logged);
    await site.logged(new RegExp(`stays until the newest one, ${name}, can be restored: it needs WAL ${endWalSegment}`), logged);
    assert.deepEqual(await site.daemon.basebackups(0), [...earlier, name], 'as long as its WAL is not stored');
    await site.postgres.launch();
    const gone = async () => !(await site.daemon.basebackups(0)).includes(earlier[0] ?? '');
    await waitFor(gone, { withinMs: 30_000, what: () => `the oldest one goes:\n${site.daemon.log}` });
    const told = site.daemon.log.slice(logged);
    assert.ok(told.indexOf(`has finished ${endWalSegment}`) < told.indexOf('deleted the base backup'), told);
    assert.ok(told.includes(`has finished ${endWalSegment}`), told);
    assert.ok(await catalog.findWal(endWalSegment));
    assert.equal(told.split('no primary answers').length, 2, 'it is told once');
    await site.daemon.reconfigure({ site: { basebackup_count: null } });
    await addRows(site.postgres);
    await site.addSegment();
    await comesBack('from the standby', site.postgres);
  });

  test('a standby that is promoted in the middle: that backup fails, and is taken again of the new primary', async () => {
    await site.caughtUp(standby);
    const logged = site.daemon.log.length;
    const stored = (await site.daemon.basebackups(0)).length;
    assert.equal((await site.daemon.request('PUT', `/${siteName}/basebackup`)).status, 201);
    const incoming = join(site.daemon.spoolDirectory, 'basebackup_incoming');
    const hasPart = async () => (await readdir(incoming, { recursive: true })).some((name) => name.includes('.pghoard'));
    await waitFor(hasPart, { withinMs: 30_000, everyMs: 1, what: () => `a part is being made:\n${site.daemon.log}` });
    process.kill(site.daemon.pid ?? 0, 'SIGSTOP');
    await site.postgres.stop('immediate');
    await standby.query('SELECT pg_promote()');
    await standby.promoted();
    process.kill(site.daemon.pid ?? 0, 'SIGCONT');
    await site.logged(/base backup failed: [^]*the standby was promoted during online backup/, logged);
    await site.daemon.basebackups(stored + 1);
    assert.match(site.daemon.log.slice(logged), new RegExp(`taken from the primary 127.0.0.1:${standby.port}`));
    await addRows(standby);
    await site.daemon.archived(await standby.switchWal(), 30_000);
    await comesBack('after the promotion', standby);
  });
});
