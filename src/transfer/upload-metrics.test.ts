import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RecordedMetrics } from '../../test/support/recorded-metrics.ts';
import { SimulatedClock } from '../../test/support/simulated-clock.ts';
import { FaultyStore } from '../../test/support/store.ts';
import { OperatorError } from '../lib/errors.ts';
import { silentLog } from '../lib/log.ts';
import { MemoryStore } from '../storage/memory/driver.ts';
import { sourceOfBytes } from '../storage/object-source.ts';
import { UploadQueue, type UploadRequest } from './upload-queue.ts';

function makeQueue() {
  const store = new FaultyStore(new MemoryStore());
  const metrics = new RecordedMetrics();
  const clock = new SimulatedClock();
  const told = { onTrouble: () => {}, onRecovered: () => {} };
  const random = { next: () => 1, hex: () => '' };
  const queue = new UploadQueue({ threads: 1, log: silentLog, metrics, warningLimit: 3, ...told, clock, random });
  const metadata = { 'compression-algorithm': 'zstd', 'original-file-size': '16' };
  const upload = (key: string, request: Partial<UploadRequest> = {}) =>
    clock.run(
      queue.upload({ site: 'main', store, key, source: sourceOfBytes(Buffer.from('data')), metadata, fileType: 'xlog', ...request }),
    );
  return { store, metrics, upload };
}

test('an upload tells its size, all that was ever uploaded, and how well it was compressed', async () => {
  const { metrics, upload } = makeQueue();
  await upload('one');
  assert.deepEqual(metrics.taken(), [
    'pghoard.compressed_size_ratio{algorithm=zstd,site=main,type=xlog} 0.25',
    'pghoard.upload_size{result=ok,site=main,type=xlog} +4',
    'pghoard.total_upload_size{site=main,type=xlog} 4',
    'pghoard.xlogs_since_basebackup{site=main} 1',
  ]);
  await upload('two');
  assert.deepEqual(metrics.taken().slice(2), [
    'pghoard.total_upload_size{site=main,type=xlog} 8',
    'pghoard.xlogs_since_basebackup{site=main} 2',
  ]);
  await upload('backup', { fileType: 'basebackup', metadata: {} });
  assert.deepEqual(metrics.taken(), [
    'pghoard.upload_size{result=ok,site=main,type=basebackup} +4',
    'pghoard.total_upload_size{site=main,type=basebackup} 4',
    'pghoard.xlogs_since_basebackup{site=main} 0',
  ]);
  await upload('empty', { source: sourceOfBytes(Buffer.alloc(0)), metadata: { 'original-file-size': '0' } });
  assert.equal(metrics.taken()[0], 'pghoard.upload_size{result=ok,site=main,type=xlog} +0', 'nothing was compressed');
});

test('each failed attempt counts, as an exception from the second one on', async () => {
  const { store, metrics, upload } = makeQueue();
  for (const call of [1, 2, 3])
    store.inject({ operation: 'put', call, how: 'refuse', error: new OperatorError('store-unreachable', 'away', { retryable: true }) });
  await upload('one');
  const failed = 'pghoard.upload_size{result=failed,site=main,type=xlog} +4';
  const retry = 'pghoard.upload_retries{site=main,type=xlog} +1';
  const exception = 'pghoard.exception{exception=store-unreachable,where=handle_upload} +1';
  assert.deepEqual(metrics.taken().slice(1, 9), [failed, retry, failed, exception, retry, failed, exception, retry]);
});

test('a fault of our own is told apart; what is there already is no failure', async () => {
  const { store, metrics, upload } = makeQueue();
  store.inject({ operation: 'put', call: 1, how: 'refuse', error: new TypeError('a bug') });
  await assert.rejects(upload('one'), TypeError);
  assert.deepEqual(metrics.taken().slice(1), [
    'pghoard.upload_size{result=failed,site=main,type=xlog} +4',
    'pghoard.transfer_operation_errors{site=main} +1',
  ]);
  await upload('one');
  metrics.taken();
  await assert.rejects(upload('one', { createOnly: true }), { code: 'object-exists' });
  assert.equal(metrics.taken().length, 1);
});
