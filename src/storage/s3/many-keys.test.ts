import assert from 'node:assert/strict';
import { test } from 'node:test';
import { madeUpKey, startMadeUpListing } from '../../../test/support/made-up-listing.ts';
import { openS3Store } from './driver.ts';
import { s3StorageOptions } from './options.ts';

const keys = 1_000_000;
const growthBytesMax = 96 * 1024 * 1024;

test(`a listing of ${keys} keys is whole, in order, and takes no more memory at its end than at its beginning`, async () => {
  await using server = await startMadeUpListing(keys);
  const own = { storage_type: 's3', bucket_name: 'b', host: '127.0.0.1', port: server.port };
  const store = await openS3Store(s3StorageOptions.parse({ ...own, aws_access_key_id: 'k', aws_secret_access_key: 's' }));
  let listed = 0;
  let early = 0;
  for await (const { key, size } of store.list('site/')) {
    if (size !== listed || (listed % 1000 === 0 && key !== madeUpKey(listed))) assert.fail(`${key} in place of number ${listed}`);
    listed++;
    if (listed % 10_000 === 0) server.seen.length = 0;
    if (listed === 200_000) early = process.memoryUsage.rss();
  }
  await store.close();
  assert.equal(listed, keys);
  const growth = process.memoryUsage.rss() - early;
  assert.ok(growth < growthBytesMax, `grew by ${Math.round(growth / 1024 / 1024)} MiB between the first 200 000 keys and the last`);
});
