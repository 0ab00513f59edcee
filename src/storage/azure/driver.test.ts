import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { BlobServiceClient, type ContainerClient, ContainerSASPermissions } from '@azure/storage-blob';
import { Azurite } from '../../../test/support/services/azurite.ts';
import { systemClock } from '../../lib/clock.ts';
import { bytesOf, collect, patternSource, read } from '../contract-tools.ts';
import type { ObjectStore } from '../object-store.ts';
import { withPrefix } from '../with-prefix.ts';
import { type AzureStore, openAzureStore } from './driver.ts';

const metadata = { 'start-time': '2026-11-22T23:39:52+00:00' };
const partBytes = 100_000;
const tuning = { limits: { partBytes, partBytesMax: partBytes, partsMax: 50_000 }, pageItemsMax: 3 };
const soon = () => new Date(systemClock.now().getTime() + 60_000);

describe('azure', () => {
  let azurite: Azurite;
  let container: ContainerClient;
  const opened: AzureStore[] = [];

  before(async () => {
    azurite = await Azurite.start();
    container = BlobServiceClient.fromConnectionString(azurite.connectionString).getContainerClient('driver');
    await container.create();
  });
  after(async () => {
    for (const store of opened) await store.close();
    await azurite?.[Symbol.asyncDispose]();
  });

  const open = async (more: Parameters<Azurite['options']>[1] = {}, name = 'driver') => {
    const store = await openAzureStore(azurite.options(name, more), tuning);
    opened.push(store);
    return store;
  };
  const keysOf = async (store: Pick<ObjectStore, 'list'>, prefix: string, start?: string) =>
    (await collect(store.list(prefix, start === undefined ? {} : { after: start }))).map(({ key }) => key);
  const put = (name: string, text: string, blobMetadata: Record<string, string> = {}) =>
    container.getBlockBlobClient(name).upload(text, text.length, { metadata: blobMetadata });

  test('blobs of 1.4.0, whose names begin with a slash, are among the others in order', async () => {
    for (const name of ['/old/a', '/old/c', '/old/d/1', 'old/b', 'old/c', 'old/d-', 'old/e']) await put(name, `${name}!`);
    const store = await open();
    assert.deepEqual(await keysOf(store, 'old/'), ['old/a', 'old/b', 'old/c', 'old/d-', 'old/d/1', 'old/e']);
    assert.deepEqual(await keysOf(store, 'old/', 'old/b'), ['old/c', 'old/d-', 'old/d/1', 'old/e']);
    assert.deepEqual(await keysOf(store, 'old/d'), ['old/d-', 'old/d/1']);
    const all = await keysOf(store, '');
    assert.deepEqual(all.slice(all.indexOf('old/a'), all.indexOf('old/a') + 3), ['old/a', 'old/b', 'old/c']);
    assert.ok(all.every((key) => !key.startsWith('/')));
    assert.deepEqual([await read(store, 'old/a'), await read(store, 'old/c')], ['/old/a!', 'old/c!']);
    assert.equal(await read(store, 'old/a', { start: 1, end: 4 }), 'old');
    assert.equal((await store.head('old/d/1')).size, 9);
    await assert.rejects(store.head('old/d/2'), { code: 'object-missing' });
  });

  test('a blob of 1.4.0 is not made again beside itself, and is gone once it is deleted, with the one that took its place', async () => {
    for (const name of ['/both/a', '/both/b', 'both/b']) await put(name, name);
    const store = await open();
    await assert.rejects(store.put('both/a', bytesOf('new'), { metadata, createOnly: true }), { code: 'object-exists' });
    await store.put('both/a', bytesOf('new'), { metadata });
    assert.equal(await read(store, 'both/a'), 'new');
    assert.equal(await container.getBlobClient('both/a').exists(), true);
    await store.delete('both/a');
    await store.deleteMany(['both/b']);
    assert.deepEqual(await keysOf(store, 'both/'), []);
    assert.equal(await container.getBlobClient('/both/a').exists(), false);
    await assert.rejects(store.head('both/a'), { code: 'object-missing' });
  });

  test('metadata that the original wrote are read', async () => {
    await put('python/one', 'x', { Content_Length: '1', start_wal_segment: '000000010000000000000003', compression_algorithm: 'snappy' });
    const store = await open();
    const expected = { 'content-length': '1', 'start-wal-segment': '000000010000000000000003', 'compression-algorithm': 'snappy' };
    assert.deepEqual({ ...(await store.head('python/one')).metadata }, expected);
    assert.deepEqual({ ...(await store.get('python/one')).entry.metadata }, expected);
  });

  test('metadata are written as the original does', async () => {
    await (await open()).put('ours', bytesOf('x'), { metadata: { 'start-wal-segment': 'a', host: 'b' } });
    const { metadata: raw } = await container.getBlobClient('ours').getProperties();
    assert.deepEqual(raw, { start_wal_segment: 'a', host: 'b' });
  });

  test('metadata that would not come back as they are are refused, and nothing is stored', async () => {
    const store = await open();
    for (const odd of [{ note: 'Grüße' }, { note: ' blank' }, { note: 'two\nlines' }, { no_hyphen: 'x' }, { '1st': 'x' }])
      await assert.rejects(store.put('odd', bytesOf('x'), { metadata: odd }), { code: 'store-failed', retryable: false });
    await assert.rejects(store.head('odd'), { code: 'object-missing' });
  });

  test('a name that Azure would shorten is refused', async () => {
    const store = await open();
    for (const key of ['a./b', 'a.']) {
      await assert.rejects(store.put(key, bytesOf('x'), { metadata }), { code: 'object-key-invalid' });
      await assert.rejects(store.head(key), { code: 'object-key-invalid' });
    }
  });

  test('keys with backslashes and what they are written as are kept apart', async () => {
    const store = withPrefix(await open(), 'backslash');
    const keys = ['a\\b', 'a%5Cb', 'a%255Cb', 'a/b', 'a%25b', 'a%', 'a\\'];
    for (const key of keys) await store.put(key, bytesOf(key), { metadata });
    for (const key of keys) assert.equal(await read(store, key), key);
    assert.deepEqual((await keysOf(store, 'a')).toSorted(), keys.toSorted());
    assert.deepEqual((await keysOf(store, 'a\\')).toSorted(), ['a\\', 'a\\b']);
    assert.deepEqual((await keysOf(store, 'a%')).toSorted(), ['a%', 'a%25b', 'a%255Cb', 'a%5Cb'].toSorted());
    assert.deepEqual(await keysOf(store, 'a%5'), ['a%5Cb']);
  });

  test('blocks left by another program are no obstacle, whatever the length of their names', async () => {
    const blob = container.getBlockBlobClient('left');
    await blob.stageBlock(Buffer.from('000001').toString('base64'), 'left', 4);
    const store = await open();
    const { source, matches } = patternSource(3 * partBytes + 7);
    await store.put('left', source, { metadata });
    const whole = Buffer.concat(await collect((await store.get('left')).bytes));
    assert.ok(whole.length === source.size && matches(whole, 0));
  });

  test('blocks of an upload that was killed are removed, what is whole or younger stays', async () => {
    const staged = container.getBlockBlobClient('killed/one');
    await staged.stageBlock(Buffer.from('000001').toString('base64'), 'left', 4);
    await put('killed/empty', '');
    const replaced = container.getBlockBlobClient('killed/replaced');
    await put('killed/replaced', 'whole');
    await replaced.stageBlock(Buffer.from('000001').toString('base64'), 'left', 4);
    const store = await open();
    assert.equal(await store.removeUnfinished('killed/', { before: new Date(0) }), 0);
    assert.equal(await store.removeUnfinished('elsewhere/', { before: soon() }), 0);
    assert.equal(await store.removeUnfinished('killed/', { before: soon() }), 1);
    assert.equal(await store.removeUnfinished('killed/', { before: soon() }), 0);
    assert.deepEqual(await keysOf(store, 'killed/'), ['killed/empty', 'killed/replaced']);
    assert.equal(await read(store, 'killed/replaced'), 'whole');
    await store.put('killed/empty', bytesOf('not leased'), { metadata });
  });

  test('of two uploads in blocks under one key at once, what is there is wholly one of them', async () => {
    const store = await open();
    const bodies = ['a', 'b', 'c'].map((letter) => Buffer.alloc(4 * partBytes, letter));
    const puts = bodies.map((body) =>
      store.put(
        'contended',
        {
          size: body.length,
          open: async function* () {
            yield body;
          },
        },
        { metadata },
      ),
    );
    const results = await Promise.allSettled(puts);
    for (const result of results) if (result.status === 'rejected') assert.equal(result.reason.retryable, true, String(result.reason));
    const found = Buffer.concat(await collect((await store.get('contended')).bytes));
    assert.ok(bodies.some((body) => body.equals(found)));
  });

  test('an upload in blocks that only creates leaves what is there', async () => {
    const store = await open();
    await store.put('large-once', bytesOf('first'), { metadata });
    const { source } = patternSource(2 * partBytes);
    await assert.rejects(store.put('large-once', source, { metadata, createOnly: true }), { code: 'object-exists' });
    assert.equal(await read(store, 'large-once'), 'first');
  });

  test('a range of nothing, or beyond the end, is nothing', async () => {
    const store = await open();
    await store.put('short', bytesOf('0123456789'), { metadata });
    for (const [start, end] of [
      [3, 3],
      [10, 20],
      [50, 60],
    ] as const) {
      const { entry, bytes } = await store.get('short', { range: { start, end } });
      assert.equal(entry.size, 10);
      assert.deepEqual(await collect(bytes), []);
    }
  });

  test('a container that is not there is no missing object', async () => {
    const store = await open({}, 'not-there');
    const works = [store.head('a'), read(store, 'a'), store.put('a', bytesOf('x'), { metadata }), store.delete('a'), keysOf(store, '')];
    for (const result of await Promise.allSettled(works)) assert.equal(result.status === 'rejected' && result.reason.code, 'store-missing');
    await store.create();
    assert.deepEqual(await keysOf(store, ''), []);
  });

  test('a shared access signature does what it allows and no more', async () => {
    await (await open()).put('sas/one', bytesOf('content'), { metadata });
    const expiresOn = new Date(systemClock.now().getTime() + 600_000);
    const signatureFor = async (permissions: string) => {
      const url = await container.generateSasUrl({ permissions: ContainerSASPermissions.parse(permissions), expiresOn });
      return new URL(url).search;
    };
    const reader = await open({ account_key: null, sas_token: await signatureFor('rl') });
    assert.equal(await read(reader, 'sas/one'), 'content');
    await assert.rejects(reader.put('sas/two', bytesOf('x'), { metadata }), { code: 'store-denied', retryable: false });
    await assert.rejects(reader.delete('sas/one'), { code: 'store-denied' });
    const writer = await open({ account_key: null, sas_token: await signatureFor('rcwdl') });
    await writer.create();
    const { source } = patternSource(2 * partBytes);
    await writer.put('sas/two', source, { metadata });
    assert.deepEqual(await writer.deleteMany(['sas/one', 'sas/two']), []);
    assert.deepEqual(await keysOf(writer, 'sas/'), []);
  });

  test('a connection string is enough', async () => {
    const store = await openAzureStore({
      ...azurite.options('driver'),
      account_name: null,
      account_key: null,
      host: null,
      port: null,
      connection_string: azurite.connectionString,
    });
    opened.push(store);
    await store.put('by-string', bytesOf('x'), { metadata });
    assert.equal(await read(store, 'by-string'), 'x');
  });

  test('a wrong key is denied, and no message has it', async () => {
    const wrong = Buffer.alloc(64, 'secret').toString('base64');
    const store = await open({ account_key: wrong });
    const failure: unknown = await store.head('a').catch((error: unknown) => error);
    assert.ok(failure instanceof Error && 'code' in failure);
    assert.equal(failure.code, 'store-denied');
    const cause = failure.cause instanceof Error ? failure.cause : failure;
    assert.ok(!`${failure.message}${failure.stack}${cause.message}${cause.stack}${JSON.stringify(cause)}`.includes(wrong));
  });

  test('what cannot work is said when it is opened', async () => {
    const without = { account_key: null, sas_token: null, connection_string: null };
    await assert.rejects(open(without), { code: 'config-invalid', message: /is_secure/ });
    await assert.rejects(open({ account_name: null }), { code: 'config-invalid', message: /account_name/ });
    await assert.rejects(open({ connection_string: 'AccountKey=c2VjcmV0' }), (error: Error & { code: string }) => {
      return error.code === 'config-invalid' && !error.message.includes('c2VjcmV0');
    });
    await assert.rejects(open({ cert_path: '/not/there.pem' }), { code: 'store-denied', message: /cert_path/ });
  });

  test('tier, tags and digest are kept', async () => {
    const store = await open({ access_tier: 'Cool', object_tags: { team: 'db', kind: 'backup' } });
    const stored = await store.put('tagged', bytesOf('hello'), { metadata });
    const blob = container.getBlobClient('tagged');
    assert.equal((await blob.getProperties()).accessTier, 'Cool');
    assert.deepEqual((await blob.getTags()).tags, { team: 'db', kind: 'backup' });
    assert.equal(stored.digest, '5d41402abc4b2a76b9719d911017c592');
    assert.equal((await store.head('tagged')).digest, stored.digest);
  });
});
