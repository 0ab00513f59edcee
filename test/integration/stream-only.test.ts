import assert from 'node:assert/strict';
import { chown, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { runOurs } from '../support/commands.ts';
import { systemUser } from '../support/postgres.ts';
import { ReceivingSite } from '../support/receiving-site.ts';

/** It is let in for replication, and for nothing else. */
const hba = ['host replication replicator 127.0.0.1/32 trust', 'host all replicator 127.0.0.1/32 reject'];

describe('a daemon that may replicate and nothing else, and is told of no data directory', () => {
  let site: ReceivingSite;
  let oid: string;

  before(async () => {
    site = await ReceivingSite.start({
      mode: 'walreceiver',
      hba,
      dsn: ({ port }) => `postgres://replicator@127.0.0.1:${port}/postgres`,
      site: { pg_data_directory: null, basebackup_mode: 'stream', basebackup_chunk_size: 4_000_000, basebackup_chunks_in_progress: 3 },
      sql: 'CREATE ROLE replicator REPLICATION LOGIN',
    });
    const source = join(site.directory, 'tablespace');
    await ownedDirectory(source);
    await site.postgres.query(`CREATE TABLESPACE elsewhere LOCATION '${source}'`);
    await site.postgres.query(`CREATE TABLE numbers TABLESPACE elsewhere AS SELECT generate_series(1, 50000) AS number`);
    await site.postgres.query(`INSERT INTO ledger VALUES (1, 'before')`);
    oid = String((await site.postgres.query(`SELECT oid::text FROM pg_tablespace WHERE spcname = 'elsewhere'`))[0]?.['oid']);
  });
  after(() => site?.[Symbol.asyncDispose]());

  test('its base backup and the WAL that it received bring the cluster back, tablespaces by their OIDs', async () => {
    await site.logged(/receiving WAL from/);
    const name = await site.daemon.basebackup();
    const entry = await (await site.daemon.catalog()).basebackup(name);
    assert.equal(entry.metadata['basebackup-mode'], 'stream');
    await site.postgres.query(`INSERT INTO ledger VALUES (2, 'after')`);
    await site.addSegment();
    const mapped = join(site.directory, 'mapped');
    await ownedDirectory(mapped);
    await using restored = await site.restored('copy', ['--tablespace-dir', `${oid}=${mapped}`]);
    assert.deepEqual(await restored.query('SELECT entry FROM ledger WHERE id <= 2 ORDER BY id'), [{ entry: 'before' }, { entry: 'after' }]);
    assert.deepEqual(await restored.query('SELECT count(*)::int AS count FROM numbers'), [{ count: 50_000 }]);
  });

  test('the story of it is in the log, and "pghoard check" takes it for well set up', async () => {
    assert.match(site.daemon.log, /PostgreSQL has begun the base backup and streams it/);
    assert.match(site.daemon.log, /base backup is complete: [\d.]+ MiB of data/);
    const { stdout } = await runOurs('pghoard', ['check', '--json', '--config', site.daemon.configFile]);
    const { checks } = JSON.parse(stdout) as { checks: { id: string; result: string }[] };
    assert.deepEqual(
      checks.filter(({ result }) => result === 'failure'),
      [],
    );
    const results = new Map(checks.map(({ id, result }) => [id, result]));
    assert.deepEqual(
      ['postgres/login', 'postgres/replication-login', 'postgres/data-directory'].map((id) => results.get(id)),
      ['note', 'ok', 'ok'],
    );
  });
});

async function ownedDirectory(path: string): Promise<void> {
  await mkdir(path, { mode: 0o700 });
  const { uid, gid } = systemUser();
  await chown(path, uid, gid);
}
