import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { CephServer } from '../../../test/support/services/ceph.ts';
import { objectStoreContract } from '../contract.ts';
import { collect, patternSource, read } from '../contract-tools.ts';
import { withKeyChecks } from '../with-key-checks.ts';
import { withPrefix } from '../with-prefix.ts';
import { openSwiftStore, type SwiftStore } from './driver.ts';
import { swiftStorageOptions } from './options.ts';

let ceph: CephServer;
let store: SwiftStore;

async function open(more: object = {}): Promise<SwiftStore> {
  const login = { auth_version: 1, auth_url: ceph.swiftAuthUrl, user: ceph.swiftUser, key: ceph.swiftKey };
  return openSwiftStore(
    swiftStorageOptions.parse({ storage_type: 'swift', container_name: 'ceph', segment_size: 1024 * 1024, ...login, ...more }),
  );
}

before(async () => {
  ceph = await CephServer.start({ version: '16' });
  store = await open();
  await store.create();
});

after(async () => {
  await store.close();
  await ceph[Symbol.asyncDispose]();
});

for (const [i, { fact, holds }] of objectStoreContract.entries()) {
  test(`swift of ceph: ${fact}`, () => holds(withKeyChecks(withPrefix(store, `fact-${i}`))));
}

test('swift of ceph: an object in segments is one object, and goes with them', async () => {
  const size = 2_500_000;
  await store.put('whole/dir/large', patternSource(size).source, { metadata: { 'Content-Length': String(size) } });
  const [only, ...others] = await collect(store.list('whole'));
  assert.deepEqual([only?.key, only?.size, others.length], ['whole/dir/large', size, 0]);
  assert.equal((await read(store, 'whole/dir/large', { start: 1024 * 1024 - 1, end: 1024 * 1024 + 2 })).length > 0, true);
  await store.deleteMany(['whole/dir/large', 'whole/dir/other']);
  assert.deepEqual(await collect(store.list('whole')), []);
  assert.equal(await store.removeUnfinished('whole/', { before: new Date('2100-01-01') }), 0);
});

test('swift of ceph: a wrong key is store-denied, a container that is not there store-missing', async () => {
  const stranger = await open({ key: 'wrong' });
  await assert.rejects(stranger.head('one'), { code: 'store-denied', retryable: false });
  await stranger.close();
  const elsewhere = await open({ container_name: 'elsewhere' });
  await assert.rejects(elsewhere.head('one'), { code: 'store-missing' });
  await assert.rejects(collect(elsewhere.list('')), { code: 'store-missing' });
  await elsewhere.close();
});
