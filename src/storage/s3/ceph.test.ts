import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { CreateMultipartUploadCommand, S3Client, UploadPartCommand } from '@aws-sdk/client-s3';
import { CephServer, type CephVersion } from '../../../test/support/services/ceph.ts';
import { cephKmsKeyId } from '../../../test/support/services/ceph-config.ts';
import { systemClock } from '../../lib/clock.ts';
import { bytesOf, collect, patternSource, read } from '../contract-tools.ts';
import type { ObjectStore } from '../object-store.ts';
import { openS3Store } from './driver.ts';

const partBytes = 5 * 1024 * 1024;
const metadata = { hash: 'abc' };
const dayMs = 24 * 60 * 60 * 1000;

for (const version of ['16', '20'] as const satisfies readonly CephVersion[]) {
  describe(`Ceph ${version}`, () => {
    let server: CephServer;
    before(async () => (server = await CephServer.start({ version, encrypts: version === '16' })));
    after(() => server?.[Symbol.asyncDispose]());

    async function opened(others: Readonly<Record<string, unknown>> = {}): Promise<ObjectStore & AsyncDisposable> {
      const store = await openS3Store(server.s3Options({ segment_size: partBytes, ...others }));
      return Object.assign(store, { [Symbol.asyncDispose]: () => store.close() });
    }

    test('a bucket that is missing is not taken for an empty one, and can be made, and made again', async () => {
      await using store = await opened();
      for (const work of [
        () => store.head('x'),
        () => read(store, 'x'),
        () => collect(store.list('')),
        () => store.put('x', bytesOf('x'), { metadata }),
        () => store.put('x', bytesOf('x'), { metadata, createOnly: true }),
        () => store.put('x', patternSource(partBytes + 1).source, { metadata }),
        () => store.delete('x'),
        () => store.deleteMany(['x']),
        () => store.removeUnfinished('', { before: systemClock.now() }),
      ])
        await assert.rejects(work, { code: 'store-missing' });
      await store.create();
      await store.create();
      await assert.rejects(store.head('x'), { code: 'object-missing' });
      await using other = await opened({ bucket_name: 'elsewhere', region: 'eu-nowhere-1' });
      await assert.rejects(other.create(), { code: 'store-failed', hint: /region/ });
    });

    test('what a stranger may not is denied, wrong keys are named, and a bucket of another is no bucket of ours', async () => {
      await server.addUser('stranger', 'strangerkey', 'strangersecret');
      await using mine = await opened();
      await mine.create();
      const stranger = { aws_access_key_id: 'strangerkey', aws_secret_access_key: 'strangersecret' };
      await using theirs = await opened(stranger);
      await theirs.create();
      for (const work of [
        () => theirs.head('x'),
        () => read(theirs, 'x'),
        () => theirs.put('x', bytesOf('x'), { metadata }),
        () => collect(theirs.list('')),
      ])
        await assert.rejects(work, { code: 'store-denied', retryable: false });
      await using unknown = await opened({ aws_access_key_id: 'nobody' });
      await assert.rejects(unknown.head('x'), { code: 'store-denied', hint: /aws_access_key_id/ });
      await using wrong = await opened({ aws_secret_access_key: 'wrong' });
      await assert.rejects(wrong.head('x'), { code: 'store-denied', hint: /aws_secret_access_key/ });
    });

    test('a large object is created only once, too', async () => {
      await using store = await opened();
      await store.create();
      const { source } = patternSource(partBytes + 1);
      await store.put('once/large', source, { metadata, createOnly: true });
      await assert.rejects(store.put('once/large', source, { metadata, createOnly: true }), { code: 'object-exists' });
      await store.put('once/small', bytesOf('x'), { metadata, createOnly: true });
      await assert.rejects(store.put('once/small', source, { metadata, createOnly: true }), { code: 'object-exists' });
      assert.equal(await store.removeUnfinished('once/', { before: new Date(systemClock.now().getTime() + dayMs) }), 0);
    });

    test('locked objects stay until their day, and what is short-lived is not locked', async () => {
      await using store = await opened({ bucket_name: 'locked', object_lock_days: 3, object_lock_mode: 'compliance' });
      await store.create();
      const fromMs = systemClock.now().getTime() + 3 * dayMs - 1000;
      await store.put('kept/small', bytesOf('x'), { metadata });
      await store.put('kept/large', patternSource(partBytes + 1).source, { metadata });
      await store.put('gone', bytesOf('1'), { metadata, isShortLived: true });
      await store.put('gone', bytesOf('2'), { metadata, isShortLived: true });
      await assert.rejects(store.delete('kept/small'), { code: 'object-locked', message: /until 20\d\d-/ });
      const locked = await store.deleteMany(['kept/small', 'kept/large', 'gone', 'never/was']);
      assert.deepEqual(locked.map(({ key }) => key).toSorted(), ['kept/large', 'kept/small']);
      for (const { until } of locked) assert.ok(until && until.getTime() >= fromMs && until.getTime() < fromMs + 60_000, String(until));
      assert.equal(await read(store, 'kept/small'), 'x');
      assert.deepEqual(
        (await collect(store.list(''))).map(({ key }) => key),
        ['kept/large', 'kept/small'],
      );
    });

    test('a lock that the bucket cannot keep is refused, not left out', async () => {
      await using plain = await opened();
      await plain.create();
      await using store = await opened({ object_lock_days: 1 });
      await assert.rejects(store.put('unlocked', bytesOf('x'), { metadata }), { code: 'store-failed', hint: /object lock/ });
    });

    test('keys of KMS, storage classes and tags are passed on', async () => {
      await using plain = await opened();
      await plain.create();
      await using store = await opened({
        sse_kms_key_id: cephKmsKeyId,
        storage_class: 'STANDARD',
        object_tags: { for: 'a b', by: 'us&them' },
      });
      for (const size of [10, partBytes + 1]) {
        const { source, matches } = patternSource(size);
        await store.put('secret', source, { metadata });
        const bytes = Buffer.concat(await collect((await store.get('secret')).bytes));
        assert.ok(bytes.length === size && matches(bytes, 0));
      }
      await using unknownKey = await opened({ sse_kms_key_id: 'no-such-key' });
      await assert.rejects(unknownKey.put('secret', bytesOf('x'), { metadata }));
      await using unknownClass = await opened({ storage_class: 'NOWHERE' });
      await assert.rejects(unknownClass.put('secret', bytesOf('x'), { metadata }), { code: 'store-failed', retryable: false });
    });

    if (version === '16')
      test('the store encrypts at rest where it is asked to, and sums are compared all the same', async () => {
        await using store = await opened({ encrypted: true });
        await store.create();
        await store.put('sse', bytesOf('content'), { metadata });
        assert.equal((await store.head('sse')).digest, '9a0364b9e99bb480dd25e1f0284c8555');
        assert.equal(await read(store, 'sse'), 'content');
      });

    test('parts of uploads that were never finished are removed once they are old, and only those under the prefix', async () => {
      await using store = await opened();
      await store.create();
      await leaveParts(server, 'left/1');
      await leaveParts(server, 'left/2');
      await leaveParts(server, 'other/ünïcödé +1');
      const now = systemClock.now().getTime();
      assert.equal(await store.removeUnfinished('left/', { before: new Date(now - dayMs) }), 0);
      assert.equal(await store.removeUnfinished('left/', { before: new Date(now + dayMs) }), 2);
      assert.equal(await store.removeUnfinished('', { before: new Date(now + dayMs) }), 1);
    });
  });
}

/** What a process that was killed leaves. */
async function leaveParts({ url, accessKey, secretKey }: CephServer, key: string): Promise<void> {
  const credentials = { accessKeyId: accessKey, secretAccessKey: secretKey };
  const checksums = { requestChecksumCalculation: 'WHEN_REQUIRED', responseChecksumValidation: 'WHEN_REQUIRED' } as const;
  const client = new S3Client({ endpoint: url, region: 'us-east-1', forcePathStyle: true, credentials, ...checksums });
  const where = { Bucket: 'backups', Key: key };
  const { UploadId } = await client.send(new CreateMultipartUploadCommand(where));
  await client.send(new UploadPartCommand({ ...where, UploadId, PartNumber: 1, Body: Buffer.from('part') }));
  client.destroy();
}
