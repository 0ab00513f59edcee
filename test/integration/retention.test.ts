import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Catalog } from '../../src/catalog/catalog.ts';
import type { DescribedBackup, DescribedForecast } from '../../src/cli/retention-report.ts';
import { defaultSegmentBytes, nextWalName } from '../../src/postgres/wal-name.ts';
import { sourceOfBytes } from '../../src/storage/object-source.ts';
import { runOurs } from '../support/commands.ts';
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

  await makeADayOlder(catalog, second);
  await site.daemon.reconfigure({ site: { basebackup_count: 1, keep: { daily: 2 } } });
  const explained = await explain(site, second);
  assert.deepEqual([explained.stays, explained.wal], [true, 'onwards']);
  assert.match(explained.because, /^it is preserved until /, 'a restored server has a day to fetch its WAL');

  for (const key of await keysBelow(catalog, catalog.keys.preservationPrefix)) await catalog.store.delete(key);
  const { endWalSegment = '' } = await catalog.basebackup(second);
  const { startWalSegment: startOfThird } = await catalog.basebackup(third);
  const between = nextWalName(endWalSegment, defaultSegmentBytes);
  assert.ok(between < startOfThird);
  await site.daemon.reconfigure({ site: { lease_seconds: 59 } });
  await site.daemon.walGone(between);
  assert.equal((await explain(site, second)).wal, 'its own');
  const left = (await keysBelow(catalog, catalog.keys.walPrefix)).map((key) => key.slice(catalog.keys.walPrefix.length));
  assert.deepEqual(
    left.filter((name) => name < startOfThird),
    left.filter((name) => name >= startWalSegment && name <= endWalSegment),
  );
  assert.ok(left.includes(startWalSegment) && left.includes(endWalSegment));

  await using alone = await site.recovered('alone', ['--basebackup', second]);
  assert.deepEqual(await alone.query('SELECT note FROM ledger'), [{ note: 'first' }], 'as it was when the base backup ended');
  await catalog.store.delete(catalog.walKey(startOfThird));
  await site.daemon.reconfigure({ site: { lease_seconds: 58 } });
  const isTold = () => new RegExp(`${startOfThird}.* is missing`).test(site.daemon.log);
  await waitFor(isTold, { withinMs: 30_000, what: () => `the hole is told:\n${site.daemon.log}` });
  assert.doesNotMatch(site.daemon.log, new RegExp(`${between}.* is missing`), 'what is not kept is no hole');

  await site.daemon.reconfigure({ site: { basebackup_count: 9, keep: undefined } });
  for (const key of await keysBelow(catalog, catalog.keys.preservationPrefix)) await catalog.store.delete(key);
  const last = [await site.basebackup(), await site.basebackup()].at(-1) ?? '';
  await site.archiveAll();
  await site.daemon.reconfigure({ site: { basebackup_count: 1 } });
  await waitFor(async () => (await alertsOf(site)).includes('retention_confirmation'), {
    withinMs: 60_000,
    what: () => `more than half is asked for:\n${site.daemon.log}`,
  });
  const confirm = (...digest: string[]) => runOurs('pghoard', ['retention', '--config', site.daemon.configFile, '--confirm', ...digest]);
  const other = await confirm('0123456789ab');
  assert.deepEqual([other.code, /retention-not-pending/.test(other.stderr)], [1, true]);
  assert.equal((await catalog.basebackups()).entries.length, 4, 'nothing goes until then');
  const confirmed = await confirm();
  assert.deepEqual([confirmed.code, confirmed.stderr], [0, '']);
  assert.match(confirmed.stdout, /^Confirmed [0-9a-f]{12}: 3 of 4 base backups would be deleted/);
  await waitFor(async () => (await catalog.basebackups()).entries.map(({ name }) => name).join() === last, {
    withinMs: 30_000,
    what: () => `they go:\n${site.daemon.log}`,
  });
  await waitFor(async () => !(await alertsOf(site)).includes('retention_confirmation'), { withinMs: 30_000, what: 'the alert goes' });
});

async function alertsOf(site: TestSite): Promise<string[]> {
  const status = (await (await site.daemon.request('GET', '/status')).json()) as { pghoard: { alerts: { name: string }[] } };
  return status.pghoard.alerts.map(({ name }) => name);
}

/** As if the base backup had been taken yesterday. */
async function makeADayOlder({ store, keys }: Catalog, name: string): Promise<void> {
  const { entry, bytes } = await store.get(keys.basebackupMain(name));
  const pieces: Uint8Array[] = [];
  for await (const piece of bytes) pieces.push(piece);
  const aDayBefore = (text = '') => new Date(Date.parse(text) - 86_400_000).toISOString();
  const times = { 'start-time': aDayBefore(entry.metadata['start-time']), 'end-time': aDayBefore(entry.metadata['end-time']) };
  await store.put(entry.key, sourceOfBytes(Buffer.concat(pieces)), { metadata: { ...entry.metadata, ...times } });
}

/** What `pghoard retention` says of a base backup. */
async function explain(site: TestSite, name: string): Promise<DescribedBackup> {
  const { stdout, stderr } = await runOurs('pghoard', ['retention', '--config', site.daemon.configFile, '--json']);
  assert.equal(stderr, '');
  const found = (JSON.parse(stdout) as DescribedForecast).basebackups.find((each) => each.name === name);
  assert.ok(found);
  return found;
}

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
