import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { after, before, test } from 'node:test';
import { type Bucket, Storage } from '@google-cloud/storage';
import { OAuth2Client } from 'google-auth-library';
import { TestGcs } from '../../../test/support/services/gcs.ts';
import { read } from '../contract-tools.ts';
import { GoogleStore } from './driver.ts';
import { testOptions } from './test-options.ts';

/** What Google's own client does on the double, so that the double is no mirror of our driver only; and each reads what the other stored. */
let gcs: TestGcs;
let bucket: Bucket;
let store: GoogleStore;
before(async () => {
  gcs = await TestGcs.start();
  const authClient = new OAuth2Client();
  authClient.setCredentials({ access_token: gcs.tokens.give() });
  const storage = new Storage({
    apiEndpoint: gcs.url,
    projectId: 'test-project',
    authClient,
    useAuthWithCustomEndpoint: true,
    retryOptions: { autoRetry: false, maxRetries: 0 },
  });
  [bucket] = await storage.createBucket('backups');
  // It leaves the token out of resumable uploads where this is set.
  storage.useAuthWithCustomEndpoint = true;
  store = await GoogleStore.open(testOptions(gcs), { chunkBytes: 256 * 1024 });
});
after(async () => {
  await store.close();
  await gcs[Symbol.asyncDispose]();
});

test('Google’s client stores in one request, and we read it', async () => {
  await bucket
    .file('odd/a b+c=%25')
    .save('hello', { resumable: false, validation: 'crc32c', metadata: { metadata: { 'start-time': 'now' } } });
  assert.equal(await read(store, 'odd/a b+c=%25'), 'hello');
  assert.deepEqual((await store.head('odd/a b+c=%25')).metadata, { 'start-time': 'now' });
});

test('Google’s client uploads in chunks', async () => {
  const bytes = randomBytes(700_000);
  const file = bucket.file('large');
  const [uri] = await file.createResumableUpload();
  await pipeline(Readable.from([bytes]), file.createWriteStream({ uri, resumable: true, chunkSize: 256 * 1024 }));
  const pieces: Uint8Array[] = [];
  for await (const piece of (await store.get('large')).bytes) pieces.push(piece);
  assert.ok(Buffer.concat(pieces).equals(bytes));
});

test('Google’s client reads what we stored, checks it, lists and deletes it', async () => {
  const bytes = randomBytes(600_000);
  await store.put('ours/large', { size: bytes.length, open: () => Readable.from([bytes]) }, { metadata: { a: 'b' } });
  const file = bucket.file('ours/large');
  const [content] = await file.download({ validation: 'crc32c' });
  assert.ok(content.equals(bytes));
  const [part] = await file.download({ start: 1_000, end: 1_999 });
  assert.ok(part.equals(bytes.subarray(1_000, 2_000)));
  const [{ metadata }] = await file.getMetadata();
  assert.deepEqual(metadata, { a: 'b' });
  const [files] = await bucket.getFiles({ prefix: 'ours/' });
  assert.deepEqual(
    files.map(({ name }) => name),
    ['ours/large'],
  );
  await file.delete();
  await assert.rejects(store.head('ours/large'), { code: 'object-missing' });
});

test('Google’s client understands how the double refuses', async () => {
  const preconditionOpts = { ifGenerationMatch: 0 };
  await bucket.file('one').save('x', { resumable: false });
  await assert.rejects(bucket.file('one').save('y', { resumable: false, preconditionOpts }), { code: 412 });
  await assert.rejects(bucket.file('none').getMetadata(), { code: 404 });
  await assert.rejects(bucket.storage.bucket('none').file('x').getMetadata(), { code: 404, message: /bucket does not exist/ });
});
