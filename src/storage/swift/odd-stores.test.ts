import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Answering, HttpStub } from '../../../test/support/services/http-stub.ts';
import { collect, read } from '../contract-tools.ts';
import { openSwiftStore, type SwiftStore } from './driver.ts';
import { swiftStorageOptions } from './options.ts';

/** What no server that can be installed does, but stores and what stands before them do. */
async function withStub(answering: Answering, use: (store: SwiftStore) => Promise<void>): Promise<void> {
  const place = { url: '' };
  await using stub = await HttpStub.start((request) => {
    if (request.path !== '/auth') return answering(request);
    return { headers: { 'x-auth-token': 'token', 'x-storage-url': `${place.url}/v1/AUTH_test` } };
  });
  place.url = stub.url;
  const login = { auth_url: `${stub.url}/auth`, auth_version: 1, user: 'u', key: 'k' };
  const store = await openSwiftStore(swiftStorageOptions.parse({ storage_type: 'swift', container_name: 'box', ...login }));
  try {
    await use(store);
  } finally {
    await store.close();
  }
}

const headers = { 'x-timestamp': '1796000000.00000' };

test('where ranges are not known, the bytes are those that were asked for all the same', () =>
  withStub(
    () => ({ headers, body: '0123456789' }),
    async (store) => {
      assert.equal(await read(store, 'x', { start: 3, end: 6 }), '345');
      assert.equal(await read(store, 'x', { start: 8, end: 99 }), '89');
    },
  ));

test('a listing that never goes on ends', () =>
  withStub(
    () => ({ body: JSON.stringify([{ name: 'a', bytes: 1, last_modified: '2026-11-30T00:00:00.000000' }]) }),
    async (store) => {
      await assert.rejects(collect(store.list('')), { code: 'store-failed', retryable: true });
    },
  ));

test('a key that no listing would show is refused', () =>
  withStub(
    () => ({ status: 201 }),
    async (store) => {
      for (const key of ['xlog_segments/a/00000001', 'xlog_claims/a/0123456789abcdef'])
        await assert.rejects(store.put(key, { size: 0, open: async function* () {} }, { metadata: {} }), { code: 'object-key-invalid' });
    },
  ));
