import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Catalog } from '../../src/catalog/catalog.ts';
import { TestSite } from '../support/test-site.ts';
import { waitFor } from '../support/wait-for.ts';

test('a third base backup makes the first one go, with its WAL; the second one and all it needs stay', async () => {
  await using site = await TestSite.start({ site: { basebackup_count: 2, basebackup_chunk_size: 4_000_000 } });
  const catalog = await site.daemon.catalog();
  await site.postgres.query('CREATE TABLE ledger (note text)');
  const names: string[] = [];
  for (const note of ['first', 'second', 'third']) {
    names.push(await site.basebackup());
    await site.postgres.query('INSERT INTO ledger VALUES ($1)', [note]);
    await site.archiveAll();
  }
  const [first = '', second = '', third = ''] = names;
  const isGone = async () => (await keysBelow(catalog, catalog.keys.basebackupMain(first))).length === 0;
  await waitFor(isGone, { withinMs: 30_000, what: () => `the first base backup goes:\n${site.daemon.log}` });
  const { startWalSegment } = await catalog.basebackup(second);
  const kept = await waitFor(() => walFrom(catalog, startWalSegment), {
    withinMs: 30_000,
    what: () => `its WAL goes:\n${site.daemon.log}`,
  });
  assert.ok(kept.length > 3, `WAL of two base backups: ${kept.join(', ')}`);
  assert.deepEqual(await site.daemon.basebackups(2), [second, third]);
  assert.deepEqual(await keysBelow(catalog, catalog.keys.chunkPrefix(first)), []);
  assert.ok((await keysBelow(catalog, catalog.keys.chunkPrefix(second))).length > 1);

  const gone = await site.daemon.tryRestore(site.place('gone'), ['--basebackup', first]);
  assert.equal(gone.code, 1);
  assert.match(gone.stderr, /basebackup-missing/);
  await using restored = await site.recovered('restored', ['--basebackup', second]);
  assert.deepEqual(await restored.query('SELECT note FROM ledger'), [{ note: 'first' }, { note: 'second' }, { note: 'third' }]);
});

/** Names of the stored segments, once none of them comes before `first`. */
async function walFrom(catalog: Catalog, first: string): Promise<string[] | false> {
  const names = (await keysBelow(catalog, catalog.keys.walPrefix)).map((key) => key.slice(catalog.keys.walPrefix.length));
  return names[0] === first && names;
}

async function keysBelow(catalog: Catalog, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of catalog.store.list(prefix)) keys.push(key);
  return keys;
}
