import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { test } from 'node:test';
import { Sshd } from '../../../test/support/services/sshd.ts';
import { assertNothingTorn, putUntilKilled } from '../../../test/support/store-crash.ts';
import { makeTemporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { waitFor } from '../../../test/support/wait-for.ts';
import { bytesOf, read } from '../contract-tools.ts';
import { isTemporary } from '../files/names.ts';
import { SftpStore } from './driver.ts';

test('kill -9 in the middle of puts leaves no torn object, and the next put of the same key works', async () => {
  await using spool = await makeTemporaryDirectory();
  await using sshd = await Sshd.start();
  let objects = 0;
  for (let kill = 0; kill < 5; kill++) {
    await putUntilKilled(sshd.storage(), spool.path, kill * 37);
    await waitFor(() => sshd.sessions.length === 0, { withinMs: 10_000, what: 'the server has noticed' });
    await using store = openStore(sshd);
    objects = await assertNothingTorn(store);
  }
  assert.ok(objects > 5, `only ${objects} objects were stored, so nothing was tried`);
  await using store = openStore(sshd);
  for (const key of ['dir/streamed-0', 'dir/linked-0']) {
    await store.put(key, bytesOf('after'), { metadata: {} });
    assert.equal(await read(store, key), 'after');
  }
  await assertLeftoversGo(store, sshd.root);
});

async function assertLeftoversGo(store: SftpStore, root: string): Promise<void> {
  const leftovers = async () => (await readdir(root, { recursive: true })).filter((path) => isTemporary(path.split('/').at(-1) ?? ''));
  const before = await leftovers();
  assert.ok(before.length > 0, 'no put was interrupted');
  const inDir = before.filter((path) => path.startsWith('dir/')).length;
  assert.equal(await store.removeUnfinished('', { before: new Date('2001-01-01T00:00:00Z') }), 0);
  const { lastModified } = await store.head('dir/linked-0');
  const soon = new Date(lastModified.getTime() + 60_000);
  assert.equal(await store.removeUnfinished('dir/', { before: soon }), inDir);
  assert.equal(await store.removeUnfinished('', { before: soon }), before.length - inDir);
  assert.deepEqual(await leftovers(), []);
}

function openStore(sshd: Sshd): SftpStore & AsyncDisposable {
  const store = new SftpStore({ storage: sshd.storage() });
  return Object.assign(store, { [Symbol.asyncDispose]: () => store.close() });
}
