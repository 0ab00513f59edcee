import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Bucket } from '../support/services/gcs/bucket.ts';
import { TestGcs } from '../support/services/gcs.ts';
import { Fixture } from './fixture.ts';
import { History } from './history.ts';

/** Puts what the original left of the site where it put it on Google: with the site's prefix as it was, slash included, behind that of the store. */
async function layDown(fixture: Fixture, bucket: Bucket, keyStart: string): Promise<string[]> {
  const directory = join(fixture.storeDirectory, fixture.expected.prefix);
  const paths = await readdir(directory, { recursive: true });
  const laid = paths.filter((path) => paths.includes(`${path}.metadata`)).map((path) => `${keyStart}/${path}`);
  for (const name of laid) {
    const path = join(directory, name.slice(keyStart.length));
    const { _hash, ...metadata } = JSON.parse(await readFile(`${path}.metadata`, 'utf8')) as Record<string, string>;
    bucket.put({ name, metadata }, await readFile(path), new URLSearchParams());
  }
  return laid;
}

test('on Google a site whose prefix begins with a slash is listed, restored, continued and pruned', async () => {
  await using fixture = await Fixture.unpack('a-snappy-pipe-plain');
  await using gcs = await TestGcs.start();
  const bucket = gcs.bucket('backups');
  const keyStart = 'pre//abs/site';
  const laid = await layDown(fixture, bucket, keyStart);
  assert.ok(laid.length > 3);
  fixture.siteChange = {
    prefix: '/abs/site',
    object_storage: {
      storage_type: 'google',
      bucket_name: bucket.name,
      api_endpoint: gcs.url,
      credentials: gcs.serviceAccount,
      prefix: 'pre',
    },
  };

  await using history = await History.begin(fixture);
  const olds = await history.basebackups();
  assert.deepEqual(olds, Object.keys(fixture.expected.basebackups));
  await history.reconfigure({ global: {}, site: { basebackup_mode: 'local-tar' } });
  await history.write('before our base backup');
  await history.takeBasebackup();
  await history.write('at the end');
  const [ours = ''] = (await history.basebackups()).slice(olds.length);
  await history.prune(1);
  assert.deepEqual(await history.basebackups(), [ours]);
  await history.expectRestored(ours);
  const names = [...bucket.objects.keys()];
  for (const name of names) assert.ok(name.startsWith(`${keyStart}/`), name);
  assert.deepEqual(
    names.filter((name) => laid.includes(name)),
    [],
    'what the original left is pruned by its own names',
  );
});
