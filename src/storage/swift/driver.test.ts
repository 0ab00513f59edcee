import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { TestAuthority } from '../../../test/support/certificates.ts';
import { RawSwift } from '../../../test/support/raw-swift.ts';
import { TestSwift } from '../../../test/support/services/swift.ts';
import { makeTemporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { systemClock } from '../../lib/clock.ts';
import { bytesOf, collect, failingSource, patternSource, read } from '../contract-tools.ts';
import { openStore } from '../drivers.ts';
import { openSwiftStore, type SwiftStore } from './driver.ts';
import { type SwiftStorageOptions, swiftStorageOptions } from './options.ts';

const segmentBytes = 100_000;
const maxFileBytes = 1024 * 1024;
const future = new Date('2100-01-01');
const services = new AsyncDisposableStack();
let authorityFile: string;
let swift: TestSwift;
let store: SwiftStore;
let raw: RawSwift;

before(async () => {
  const directory = services.use(await makeTemporaryDirectory());
  const authority = await TestAuthority.create(directory.path);
  const certificate = await authority.issue('swift', ['IP:127.0.0.1']);
  authorityFile = authority.cert;
  swift = services.use(await TestSwift.start({ directory: directory.path, certificate, maxFileBytes }));
  store = await openSwiftStore(storeOptions());
  services.defer(() => store.close());
  await store.create();
  const ca = await readFile(authorityFile, 'utf8');
  raw = services.use(await RawSwift.open({ authUrl: swift.authUrl, ...swift.admin, container: 'box', ca }));
});

after(() => services.disposeAsync());

function storeOptions(more: Partial<Record<keyof SwiftStorageOptions, unknown>> = {}): SwiftStorageOptions {
  const login = { ...swift.admin, auth_url: swift.authUrl, auth_version: 1, cert_path: authorityFile };
  return swiftStorageOptions.parse({ storage_type: 'swift', container_name: 'box', segment_size: segmentBytes, ...login, ...more });
}

async function withStore(more: Parameters<typeof storeOptions>[0], work: (other: SwiftStore) => Promise<void>): Promise<void> {
  const other = await openSwiftStore(storeOptions(more));
  try {
    await work(other);
  } finally {
    await other.close();
  }
}

/** As the original leaves an object of two segments. */
async function laidDownByOriginal(directory: string, name: string, headers: Readonly<Record<string, string>> = {}): Promise<void> {
  await raw.request('PUT', `${directory}_segments/${name}/00000001`, {}, 'hello ');
  await raw.request('PUT', `${directory}_segments/${name}/00000002`, {}, 'world');
  await raw.request('PUT', `${directory}/${name}`, { 'x-object-manifest': `box/${directory}_segments/${name}/`, ...headers });
}

test('segments lie where the original has them, and no listing shows them', async () => {
  const size = 2 * segmentBytes + 5;
  const source = patternSource(size);
  const metadata = { 'Content-Length': String(size), 'start-time': '2026-11-22T23:39:52+00:00' };
  const entry = await store.put('seg/site/basebackup/large', source.source, { metadata });
  assert.equal(entry.size, size);
  assert.deepEqual(await raw.list('seg/'), {
    'seg/site/basebackup/large': 0,
    'seg/site/basebackup_segments/large/00000001': segmentBytes,
    'seg/site/basebackup_segments/large/00000002': segmentBytes,
    'seg/site/basebackup_segments/large/00000003': 5,
  });
  const { headers } = await raw.request('HEAD', 'seg/site/basebackup/large');
  assert.equal(headers['x-object-manifest'], 'box/seg/site/basebackup_segments/large/');
  assert.deepEqual(
    (await collect(store.list('seg/site/'))).map(({ key, size: bytes }) => [key, bytes]),
    [['seg/site/basebackup/large', size]],
  );
  assert.equal((await store.head('seg/site/basebackup/large')).metadata['start-time'], metadata['start-time']);
  const { bytes } = await store.get('seg/site/basebackup/large', { range: { start: segmentBytes - 10, end: size } });
  assert.ok(source.matches(Buffer.concat(await collect(bytes)), segmentBytes - 10));
});

test('segments of the original are read, and go with their object', async () => {
  await laidDownByOriginal('old/site/basebackup', '2016-03-22_0');
  assert.equal(await read(store, 'old/site/basebackup/2016-03-22_0'), 'hello world');
  assert.deepEqual(
    (await collect(store.list('old/site/basebackup/'))).map(({ size }) => size),
    [11],
  );
  await store.delete('old/site/basebackup/2016-03-22_0');
  assert.deepEqual(await raw.list('old/'), {});
});

test('of many objects that are deleted at once the segments go, those of others stay', async () => {
  for (const name of ['one', 'two', 'three']) await laidDownByOriginal('many/dir', name);
  await store.deleteMany(['many/dir/one', 'many/dir/two', 'many/dir/never']);
  assert.deepEqual(Object.keys(await raw.list('many/')), [
    'many/dir/three',
    'many/dir_segments/three/00000001',
    'many/dir_segments/three/00000002',
  ]);
});

test('an object that replaces one in segments leaves none of them', async () => {
  await laidDownByOriginal('again/dir', 'one');
  await store.put('again/dir/one', bytesOf('short'), { metadata: {} });
  assert.equal(await read(store, 'again/dir/one'), 'short');
  assert.deepEqual(await raw.list('again/'), { 'again/dir/one': 5 });
  await laidDownByOriginal('again/dir', 'one');
  await raw.request('PUT', 'again/dir_segments/one/0000000f', {}, 'too many');
  const { source, matches } = patternSource(segmentBytes + 1);
  await store.put('again/dir/one', source, { metadata: {} });
  assert.ok(matches(Buffer.concat(await collect((await store.get('again/dir/one')).bytes)), 0));
  assert.equal(Object.keys(await raw.list('again/')).length, 3);
});

test('an upload in segments that fails or is aborted leaves nothing, and what was there without segments stays', async () => {
  await store.put('torn/dir/one', bytesOf('before'), { metadata: {} });
  await assert.rejects(store.put('torn/dir/one', failingSource(segmentBytes + 10, 3 * segmentBytes), { metadata: {} }), /injected/);
  const stop = new AbortController();
  const source = {
    size: 3 * segmentBytes,
    async *open() {
      yield Buffer.alloc(2 * segmentBytes);
      stop.abort(new Error('stopped by the test'));
      await new Promise<never>(() => {});
    },
  };
  await assert.rejects(store.put('torn/dir/one', source, { metadata: {}, signal: stop.signal }), /stopped by the test/);
  assert.deepEqual(await raw.list('torn/'), { 'torn/dir/one': 6 });
});

test('of an object in segments one that is missing is noticed', async () => {
  await laidDownByOriginal('hole/dir', 'one', { 'x-object-meta-content-length': '11' });
  await raw.request('DELETE', 'hole/dir_segments/one/00000001');
  await assert.rejects(store.get('hole/dir/one'), { code: 'object-corrupt' });
});

test('segments without an object and claims of processes that died are removed once they are old, and only those', async () => {
  await laidDownByOriginal('left/site/dir', 'whole');
  for (const name of ['left/site/dir_segments/gone/00000001', 'left/site/dir_segments/gone/00000002', 'left/site_segments/x/00000001'])
    await raw.request('PUT', name, {}, 'x');
  await raw.request('PUT', 'left/site/dir_claims/gone/0123456789abcdef');
  await raw.request('PUT', 'left/site2_segments/x/00000001', {}, 'of another site');
  assert.equal(await store.removeUnfinished('left/site/', { before: new Date('2020-01-01') }), 0);
  assert.equal(await store.removeUnfinished('left/site/', { before: future }), 3);
  assert.deepEqual(Object.keys(await raw.list('left/')), [
    'left/site/dir/whole',
    'left/site/dir_segments/whole/00000001',
    'left/site/dir_segments/whole/00000002',
    'left/site2_segments/x/00000001',
  ]);
});

test('a claim of a process that died is waited for as long as it might live, not for ever', async () => {
  const claimDeadAfterMs = 1_000;
  const creator = await openSwiftStore(storeOptions(), { claimDeadAfterMs });
  await raw.request('PUT', 'claim/dir_claims/one/0000000000000000');
  const beganMs = systemClock.monotonicMs();
  await creator.put('claim/dir/one', bytesOf('x'), { metadata: {}, createOnly: true });
  assert.ok(systemClock.monotonicMs() - beganMs > claimDeadAfterMs * 0.9, 'it did not wait');
  await creator.close();
  assert.deepEqual(await raw.list('claim/'), { 'claim/dir/one': 1 });
});

test('a claim is kept alive by whoever works under it', async () => {
  const claimDeadAfterMs = 1_000;
  const creators = [await openSwiftStore(storeOptions(), { claimDeadAfterMs }), await openSwiftStore(storeOptions(), { claimDeadAfterMs })];
  const slow = {
    size: 1,
    async *open() {
      await systemClock.sleep(claimDeadAfterMs * 1.5);
      yield Buffer.from('x');
    },
  };
  const puts = creators.map((creator) => creator.put('claim/dir/slow', slow, { metadata: {}, createOnly: true }));
  const outcomes = (await Promise.allSettled(puts)).map(({ status }) => status);
  assert.deepEqual(outcomes.toSorted(), ['fulfilled', 'rejected']);
  for (const creator of creators) await creator.close();
});

test('keys that begin with a slash are kept to the letter', async () => {
  const absolute = await openStore(storeOptions({ prefix: '/' }));
  await absolute.put('abs/site/xlog/one', bytesOf('x'), { metadata: {} });
  const large = absolute.put('abs/site/basebackup/large', patternSource(segmentBytes + 1).source, { metadata: {} });
  await assert.rejects(large, { code: 'object-too-large', hint: /slash/ });
  assert.deepEqual(await raw.list('/'), { '/abs/site/xlog/one': 1 });
  assert.deepEqual(
    (await collect(absolute.list('abs/site/'))).map(({ key }) => key),
    ['abs/site/xlog/one'],
  );
  await absolute.deleteMany(['abs/site/basebackup/large', 'abs/site/xlog/one']);
  assert.deepEqual(await raw.list('/'), {});
  await absolute.close();
});

test('metadata beyond ASCII are UTF-8 in headers, and what would end a header is refused', async () => {
  await store.put('meta/one', bytesOf('x'), { metadata: { path: '/größe/日本' } });
  assert.equal((await store.head('meta/one')).metadata['path'], '/größe/日本');
  const { headers } = await raw.request('HEAD', 'meta/one');
  assert.equal(Buffer.from(String(headers['x-object-meta-path']), 'latin1').toString('utf8'), '/größe/日本');
  const refusal = { code: 'store-failed', retryable: false };
  await assert.rejects(store.put('meta/two', bytesOf('x'), { metadata: { path: 'a\r\nX-Evil: b' } }), refusal);
  const isTooLong = ({ cause }: Error) => /longer than 256/.test(String(cause));
  await assert.rejects(store.put('meta/two', bytesOf('x'), { metadata: { path: 'x'.repeat(300) } }), isTooLong);
});

test('what is larger than the cluster takes is refused with the option that helps; a full container is full', async () => {
  await withStore({ segment_size: null }, (other) =>
    assert.rejects(other.put('large', patternSource(maxFileBytes + 1).source, { metadata: {} }), {
      code: 'object-too-large',
      hint: /segment_size/,
    }),
  );
  await withStore({ container_name: 'small' }, async (other) => {
    await other.create();
    const ca = await readFile(authorityFile, 'utf8');
    using box = await RawSwift.open({ authUrl: swift.authUrl, ...swift.admin, container: 'small', ca });
    await box.request('POST', '', { 'x-container-meta-quota-bytes': '10' });
    await assert.rejects(other.put('one', bytesOf('more than ten bytes'), { metadata: {} }), { code: 'store-full', retryable: true });
    await other.put('one', bytesOf('less'), { metadata: {} });
  });
});

test('whoever may not is told so, and a container that is not there is told from an object', async () => {
  await withStore(swift.guest, async (guest) => {
    for (const work of [
      () => guest.put('one', bytesOf('x'), { metadata: {} }),
      () => guest.head('one'),
      () => collect(guest.list('')),
      () => guest.deleteMany(['one', 'two']),
    ])
      await assert.rejects(work(), { code: 'store-denied', retryable: false });
  });
  await withStore({ key: 'wrong-secret' }, async (stranger) => {
    await assert.rejects(stranger.head('one'), { code: 'store-denied', message: /^(?!.*wrong-secret)/ });
  });
  await withStore({ container_name: 'nowhere' }, async (nowhere) => {
    for (const options of [{ metadata: {} }, { metadata: {}, createOnly: true }])
      await assert.rejects(nowhere.put('one', bytesOf('x'), options), { code: 'store-missing' });
    await assert.rejects(nowhere.put('large', patternSource(segmentBytes + 1).source, { metadata: {} }), { code: 'store-missing' });
    for (const work of [
      () => nowhere.head('one'),
      () => read(nowhere, 'one'),
      () => collect(nowhere.list('')),
      () => nowhere.delete('one'),
    ])
      await assert.rejects(work(), { code: 'store-missing' });
  });
});

test('a certificate of an authority that is not named is refused, with the option that names it', async () => {
  await withStore({ cert_path: null }, (other) =>
    assert.rejects(other.head('one'), { code: 'store-unreachable', retryable: true, hint: /cert_path/ }),
  );
  await assert.rejects(openSwiftStore(storeOptions({ cert_path: '/no/such/file' })), { code: 'store-denied' });
});
