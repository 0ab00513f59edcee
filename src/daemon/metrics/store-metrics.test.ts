import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RecordedMetrics } from '../../../test/support/recorded-metrics.ts';
import { FaultyStore } from '../../../test/support/store.ts';
import type { SiteConfig } from '../../config/load.ts';
import { OperatorError } from '../../lib/errors.ts';
import { MemoryStore } from '../../storage/memory/driver.ts';
import { sourceOfBytes } from '../../storage/object-source.ts';
import type { ObjectStore } from '../../storage/object-store.ts';
import { withObservers } from '../../storage/with-observers.ts';
import { storeMetrics } from './store-metrics.ts';

const site = { name: 'main', object_storage: { storage_type: 's3' } } as SiteConfig;
const error = new OperatorError('store-denied', 'no');

async function read(store: ObjectStore, key: string): Promise<void> {
  for await (const _ of (await store.get(key)).bytes);
}

async function list(store: ObjectStore): Promise<void> {
  for await (const _ of store.list('main/'));
}

const put = (store: ObjectStore, key: string) => store.put(key, sourceOfBytes(Buffer.from('data')), { metadata: {} });

const wal = 'main/xlog/000000010000000000000001';
const works: readonly (readonly [
  operation: 'get' | 'head' | 'list' | 'put' | 'delete',
  key: string,
  where: string | undefined,
  work: (store: ObjectStore, key: string) => Promise<unknown>,
])[] = [
  ['get', wal, 'handle_download', read],
  ['head', wal, 'handle_metadata', (store, key) => store.head(key)],
  ['list', 'main/', 'handle_list', list],
  ['put', wal, undefined, put],
  ['delete', wal, 'delete_remote_wal_before', (store, key) => store.delete(key)],
  ['delete', 'main/xlog_partial/000000010000000000000001.partial', 'delete_remote_wal_before', (store, key) => store.delete(key)],
  ['delete', 'main/basebackup/2026-11-22_23-39_0', 'delete_remote_basebackup', (store, key) => store.delete(key)],
  ['delete', 'xlog/basebackup_chunk/x', 'delete_remote_basebackup', (store, key) => store.delete(key)],
];

for (const [operation, key, where, work] of works) {
  test(`a ${operation} of ${key} that fails is told`, async () => {
    const metrics = new RecordedMetrics();
    const faulty = new FaultyStore(new MemoryStore());
    faulty.inject({ operation, how: 'refuse', error });
    await assert.rejects(work(withObservers(faulty, [storeMetrics(metrics, site)]), key));
    assert.deepEqual(metrics.taken(), [
      `pghoard.store_request_seconds{operation=${operation},result=failed,site=main,store=s3}`,
      `pghoard.store_errors{error=store-denied,operation=${operation},site=main,store=s3} +1`,
      ...(where === undefined ? [] : [`pghoard.exception{exception=store-denied,where=${where}} +1`]),
    ]);
  });
}

test('what works is told with what it moved; what is not there is an answer, too; throttling is counted', async () => {
  const metrics = new RecordedMetrics();
  const faulty = new FaultyStore(new MemoryStore());
  const store = withObservers(faulty, [storeMetrics(metrics, site)]);
  await assert.rejects(store.head(wal), { code: 'object-missing' });
  assert.deepEqual(metrics.taken(), ['pghoard.store_request_seconds{operation=head,result=ok,site=main,store=s3}']);
  await put(store, wal);
  await read(store, wal);
  assert.deepEqual(metrics.taken(), [
    'pghoard.store_request_seconds{operation=put,result=ok,site=main,store=s3}',
    'pghoard.store_bytes{operation=put,site=main,store=s3} +4',
    'pghoard.store_request_seconds{operation=get,result=ok,site=main,store=s3}',
    'pghoard.store_bytes{operation=get,site=main,store=s3} +4',
  ]);
  faulty.inject({ operation: 'put', how: 'refuse', error: new OperatorError('store-throttled', 'slower', { retryable: true }) });
  await assert.rejects(put(store, wal));
  assert.ok(metrics.taken().includes('pghoard.store_throttled{site=main,store=s3} +1'));
});
