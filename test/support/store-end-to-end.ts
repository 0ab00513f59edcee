import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openStore } from '../../src/storage/drivers.ts';
import { storageOptions } from '../../src/storage/options.ts';
import { runOurs } from './commands.ts';
import { TestSite } from './test-site.ts';

/** Incompressible, so that the base backup has several chunks. */
const fillQuery = 'CREATE TABLE filler AS SELECT gen_random_uuid() AS id, gen_random_uuid() AS other FROM generate_series(1, 60000)';

/**
 * What a store is for: the daemon archives WAL and takes an encrypted base backup in several chunks; from a host that has neither server nor spool
 * the cluster comes back to a moment between two transactions; and what nothing needs any more goes.
 */
export function testEndToEnd(name: string, storageOf: () => Promise<Readonly<Record<string, unknown>>>): void {
  test(`${name}: WAL and a base backup in chunks are stored, restored to a point in time, and pruned`, async () => {
    const object_storage = await storageOf();
    const site = { object_storage, basebackup_chunk_size: 1024 * 1024, basebackup_chunks_in_progress: 3, basebackup_count: 1 };
    await using stack = new AsyncDisposableStack();
    const source = stack.use(await TestSite.start({ encrypted: true, site }));
    const { postgres } = source;
    await postgres.query('CREATE TABLE ledger (note text)');
    await postgres.query(fillQuery);
    const first = await source.basebackup();
    const early = await source.archiveAll();
    const backup = await source.basebackup();
    await postgres.query(`INSERT INTO ledger VALUES ('before')`);
    const [row] = await postgres.query('SELECT clock_timestamp()::text AS now');
    await postgres.query(`INSERT INTO ledger VALUES ('after')`);
    await source.archiveAll();

    const store = await openStore(storageOptions.parse(object_storage));
    stack.defer(() => store.close());
    const chunks: string[] = [];
    for await (const { key } of store.list(`main/basebackup_chunk/${backup}/`)) chunks.push(key);
    assert.ok(chunks.length > 2, `${chunks.length} chunks`);
    await source.daemon.walGone(early);
    for await (const { key } of store.list('main/')) assert.ok(!key.includes(first), `${key} was not pruned`);

    await assertChecked(source.daemon.configFile);
    for await (const { key } of store.list('main/check_scratch/')) assert.fail(`the check left ${key}`);

    const elsewhere = stack.use(await source.elsewhere('elsewhere'));
    const flags = ['--recovery-target-time', String(row?.['now'])];
    const restored = stack.use(await source.recovered('restored', flags, { daemon: elsewhere }));
    const notes = await restored.query('SELECT note FROM ledger');
    assert.deepEqual(notes, [{ note: 'before' }]);
    const [filler] = await restored.query('SELECT count(*)::int AS rows FROM filler');
    assert.equal(filler?.['rows'], 60_000);
  });
}

/** `pghoard check` beside the daemon finds nothing wrong with the store and what lies in it. */
async function assertChecked(configFile: string): Promise<void> {
  const { stdout, stderr } = await runOurs('pghoard', ['check', '--quick', '--json', '--config', configFile]);
  assert.equal(stderr, '');
  const { checks } = JSON.parse(stdout) as { checks: { id: string; result: string; because: string }[] };
  const ofStore = checks.filter(({ id }) => /^(store|backups|keys)\//.test(id));
  assert.deepEqual(
    ofStore.filter(({ result }) => result === 'warning' || result === 'failure'),
    [],
  );
  assert.ok(ofStore.some(({ id }) => id === 'store/create-only') && ofStore.some(({ id }) => id === 'backups/basebackup-wal'));
}
