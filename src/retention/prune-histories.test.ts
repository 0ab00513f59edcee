import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { makeStoredSite, storedKeys } from '../../test/support/stored-site.ts';
import { makeTemporaryDirectory } from '../../test/support/temporary-directory.ts';
import { TestBackups } from '../../test/support/test-backups.ts';
import { CodecPool } from '../codec/pool.ts';
import { silentLog } from '../lib/log.ts';
import { sourceOfBytes } from '../storage/object-source.ts';
import { prune } from './prune.ts';

const now = new Date('2026-11-23T12:00:00Z');
const rules = { countMax: 1, ageDaysMax: undefined, countMin: 0, intervalHours: 24 };
const { signal } = new AbortController();
let pool: CodecPool;
before(() => void (pool = new CodecPool(1)));
after(() => pool.close());

/** Timeline 3 was given up, 4 goes on from 2. */
const histories = { 2: '1\t0/2000000\tx\n', 3: '1\t0/2000000\tx\n2\t0/3000000\tx\n', 4: '1\t0/2000000\tx\n2\t0/3000000\tx\n' };

test('the history of a branch that was given up goes with the last of its WAL, those of the kept line stay', async () => {
  await using scratch = await makeTemporaryDirectory();
  const { store, storage } = await TestBackups.open(scratch.path);
  const wal = ['000000030000000000000003', '000000040000000000000008'];
  const catalog = await makeStoredSite(
    { '2026-11-20_0': '000000030000000000000003', '2026-11-22_0': '000000040000000000000008' },
    wal,
    store,
  );
  for (const [timeline, text] of Object.entries(histories)) {
    const metadata = { 'original-file-size': String(text.length) };
    await store.put(catalog.walKey(`0000000${timeline}.history`), sourceOfBytes(Buffer.from(text)), { metadata });
  }
  const pass = async (withManifests: boolean) => {
    const manifests = withManifests ? { pool, storage, privateKeys: {} } : undefined;
    await prune(await catalog.basebackups(), rules, now, { catalog, log: silentLog, signal, manifests });
    return (await storedKeys(catalog))
      .filter((key) => key.startsWith('timeline/'))
      .map((key) => key.slice('timeline/0000000'.length, -'.history'.length));
  };
  assert.deepEqual(await pass(true), ['2', '3', '4'], 'its WAL has only just gone');
  assert.deepEqual(await pass(false), ['2', '3', '4'], 'nobody can read the histories here');
  assert.deepEqual(await pass(true), ['2', '4']);
  assert.deepEqual(await pass(true), ['2', '4']);
});
