import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { RecordedMetrics } from '../../test/support/recorded-metrics.ts';
import { makeTemporaryDirectory } from '../../test/support/temporary-directory.ts';
import { TestWalSite } from '../../test/support/wal-site.ts';
import { CodecPool } from '../codec/pool.ts';
import { OperatorError } from '../lib/errors.ts';
import { sourceOfBytes } from '../storage/object-source.ts';
import { Spool } from '../transfer/spool.ts';

const pool = new CodecPool(1);
after(() => pool.close());

const segment = '000000010000000000000003';
const archived = (result: string) => `pghoard.wal_archive_seconds{result=${result},site=main}`;
const failure = (exception: string, where: string) => `pghoard.exception{exception=${exception},where=${where}} +1`;

test('what was archived and fetched is told; what fails, with where it failed', async () => {
  const metrics = new RecordedMetrics();
  await using site = await TestWalSite.start(pool, { archiver: { metrics }, fetcher: { metrics } });
  await site.archiver.archive(segment, await site.write(segment));
  assert.deepEqual(metrics.taken(), [archived('ok')]);
  const { size, metadata } = await site.store.head(`main/xlog/${segment}`);
  await site.fetchBytes(segment);
  const downloaded = (result: string, bytes: number) => `pghoard.download_size{result=${result},site=main,type=xlog} +${bytes}`;
  assert.deepEqual(metrics.taken(), [downloaded('ok', size)]);
  await site.store.put(`main/xlog/${segment}`, sourceOfBytes(Buffer.from('junk')), { metadata });
  await assert.rejects(site.fetchBytes(segment), { code: 'object-corrupt' });
  assert.deepEqual(metrics.taken(), [downloaded('failed', 4), downloaded('failed', 4)], 'it is tried again once');
  await assert.rejects(
    site.archiver.archive('000000010000000000000004', await site.writeBytes('000000010000000000000004', Buffer.from('junk'))),
  );
  assert.deepEqual(metrics.taken(), [failure('wal-invalid', 'compressor_run'), archived('failed')]);
});

test('the end of a worker thread is told apart', async () => {
  const metrics = new RecordedMetrics();
  class DyingPool extends CodecPool {
    override run(): Promise<never> {
      return Promise.reject(new OperatorError('worker-died', 'it died', { retryable: true }));
    }
  }
  await using site = await TestWalSite.start(pool, { archiver: { metrics, pool: new DyingPool(1) } });
  await assert.rejects(site.archiver.archive(segment, await site.write(segment)), { code: 'worker-died' });
  assert.deepEqual(metrics.taken(), [failure('worker-died', 'compressor_run_critical'), archived('failed')]);
});

test('a file that cannot be removed from the spool once it is stored is told', async () => {
  const metrics = new RecordedMetrics();
  await using scratch = await makeTemporaryDirectory();
  class StickySpool extends Spool {
    /** As where its directory belongs to somebody else. */
    override remove(path: string): Promise<void> {
      return writeFile(join(path, 'not a directory'), '');
    }
  }
  const spool = new StickySpool(scratch.path, 'main');
  await spool.ensure();
  await using site = await TestWalSite.start(pool, { archiver: { metrics, spool } });
  await assert.rejects(site.archiver.archive(segment, await site.write(segment)), { code: 'ENOTDIR' });
  assert.deepEqual(metrics.taken(), [failure('ENOTDIR', 'handle_upload_unlink'), archived('failed')]);
});
