import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, stat, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { assertNothingTorn, putUntilKilled } from '../../../test/support/store-crash.ts';
import { bytesOf, collect, read } from '../contract-tools.ts';
import { isTemporary } from '../files/names.ts';
import { LocalStore } from './driver.ts';

test('kill -9 in the middle of puts leaves no torn object, and the next put of the same key works', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'pghoard-crash-'));
  try {
    const spool = await mkdtemp(join(directory, 'spool-'));
    const base = join(directory, 'store');
    const store = new LocalStore({ directory: base });
    const storage = { storage_type: 'local' as const, directory: base, prefix: null, statsd_info: null, notifier: null };
    let objects = 0;
    for (let kill = 0; kill < 8; kill++) {
      await putUntilKilled(storage, spool, 30 + kill * 23);
      objects = await assertNothingTorn(store);
    }
    assert.ok(objects > 10, `only ${objects} objects were stored, so nothing was tried`);
    for (const key of ['dir/streamed-0', 'dir/linked-0']) {
      await store.put(key, bytesOf('after'), { metadata: {} });
      assert.equal(await read(store, key), 'after');
    }
    await assertOldTemporariesGo(store, join(base, 'dir'));
  } finally {
    await rm(directory, { recursive: true });
  }
});

async function assertOldTemporariesGo(store: LocalStore, directory: string): Promise<void> {
  const temporaries = async () => (await readdir(directory)).filter(isTemporary);
  const before = await temporaries();
  await collect(store.list('dir/'));
  assert.deepEqual(await temporaries(), before, 'young temporary files may belong to somebody');
  const dayBeforeYesterday = (await stat(directory)).mtimeMs / 1000 - 2 * 86_400;
  for (const name of before) await utimes(join(directory, name), dayBeforeYesterday, dayBeforeYesterday);
  await collect(store.list('dir/'));
  assert.deepEqual(await temporaries(), []);
}
