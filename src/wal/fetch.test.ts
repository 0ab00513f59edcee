import assert from 'node:assert/strict';
import { chown, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { after, test } from 'node:test';
import { makeTemporaryDirectory } from '../../test/support/temporary-directory.ts';
import { waitFor } from '../../test/support/wait-for.ts';
import { flipBit, makeHistory, makeWalSegment } from '../../test/support/wal-segment.ts';
import { TestWalSite } from '../../test/support/wal-site.ts';
import { createKeyPair } from '../codec/keys.ts';
import { CodecPool } from '../codec/pool.ts';
import { OperatorError } from '../lib/errors.ts';
import { LocalStore } from '../storage/local/driver.ts';
import { sourceOfBytes } from '../storage/object-source.ts';

const pool = new CodecPool(2);
after(() => pool.close());

const [first, second, third] = ['000000010000000000000FFE', '000000010000000000000FFF', '000000010000000100000000'] as const;

/** Replaces the stored bytes by what `change` makes of them. */
async function tamper(site: TestWalSite, name: string, change: (bytes: Buffer) => Uint8Array): Promise<void> {
  const key = site.catalog.walKey(name);
  const { entry, bytes } = await site.store.get(key);
  await site.store.put(key, sourceOfBytes(change(await buffer(bytes))), { metadata: entry.metadata });
}

test('"missing" is said only if every source says so', async () => {
  await using old = await TestWalSite.start(pool, { site: 'old' });
  await old.archiveNew([second]);
  await using site = await TestWalSite.start(pool, { movedFrom: [old.source] });
  await site.archiveNew([first]);
  assert.deepEqual(await site.fetchBytes(second), makeWalSegment(second));
  await assert.rejects(site.fetcher.fetch(third), (error: OperatorError) => {
    assert.equal(error.code, 'wal-missing');
    assert.match(error.message, /main\/xlog.*old\/xlog/);
    return true;
  });
  old.store.inject({ operation: 'get', how: 'refuse' });
  await assert.rejects(site.fetcher.fetch(third), { code: 'store-unreachable', retryable: true });
  site.store.inject({ operation: 'get', how: 'refuse' });
  old.store.heal();
  await assert.rejects(site.fetcher.fetch(second), { code: 'store-unreachable' }, 'the site itself comes first');
  await assert.rejects(site.fetcher.fetch('000000010000000000000003.00000028.backup'), { code: 'wal-missing' });
  await assert.rejects(site.fetcher.fetch('../xlog'), { code: 'wal-name-invalid' });
});

test('a store that has nothing of the site at all, such as a disk that is not mounted, is no witness that a file is missing', async () => {
  await using old = await TestWalSite.start(pool, { site: 'old' });
  await using site = await TestWalSite.start(pool, { movedFrom: [old.source] });
  await assert.rejects(site.fetcher.fetch(first), { code: 'store-empty', retryable: true });
  site.store.inject({ operation: 'list', how: 'refuse' });
  await assert.rejects(site.fetcher.fetch(first), { code: 'store-unreachable' });
  site.store.heal();
  await old.archiveNew([second]);
  await assert.rejects(site.fetcher.fetch(third), { code: 'wal-missing' }, 'what a former site left is enough');
});

test('a segment behind which there is more is a hole and not the end of the archive, until somebody fills it', async () => {
  const [sole, other] = ['000000020000000100000000', '000000030000000000000001'];
  await using old = await TestWalSite.start(pool, { site: 'old' });
  await using site = await TestWalSite.start(pool, { movedFrom: [old.source] });
  await site.archiveNew([first, sole, other]);
  await old.archiveNew([third]);
  await site.storeBeginning(second, 4096);
  for (const unfinished of [false, true]) {
    await assert.rejects(site.fetcher.fetch(second, undefined, { unfinished }), {
      code: 'wal-hole',
      retryable: true,
      message: new RegExp(`${second} is not stored, but ${third} behind it is`),
    });
  }
  for (const name of ['000000010000000100000001', '000000020000000100000001', '000000030000000000000002', '00000004.history'])
    await assert.rejects(site.fetcher.fetch(name), { code: 'wal-missing' }, name);
  await site.archiveNew([second]);
  assert.deepEqual(await site.fetchBytes(second), makeWalSegment(second));
});

test('a segment that is stored after the one behind it is waited for', async () => {
  await using site = await TestWalSite.start(pool);
  await site.archiveNew([second]);
  const { promise: isStored, resolve } = Promise.withResolvers<void>();
  site.store.inject({ operation: 'list', call: 1, how: 'wait', until: isStored });
  const fetching = site.fetchBytes(first);
  await waitFor(() => site.store.count('list') > 0, { withinMs: 30_000, what: 'it is not there, and looked for behind it' });
  await site.archiveNew([first]);
  resolve();
  assert.deepEqual(await fetching, makeWalSegment(first));
});

test('a file that appears after it was missing is found at once', async () => {
  await using site = await TestWalSite.start(pool, { fetcher: { segmentsAhead: { start: 2, max: 2 } } });
  await site.archiveNew([first]);
  await site.fetchBytes(first);
  await assert.rejects(site.fetcher.fetch(second), { code: 'wal-missing' });
  await site.archiveNew([second]);
  assert.deepEqual(await site.fetchBytes(second), makeWalSegment(second));
});

test('concurrent requests share one transfer, and each has the file until it lets go', async () => {
  await using site = await TestWalSite.start(pool);
  await site.archiveNew([first]);
  const [a, b] = await Promise.all([site.fetcher.fetch(first), site.fetcher.fetch(first)]);
  assert.equal(site.store.count('get'), 1);
  const target = join(site.directory, 'moved');
  await a.moveTo(target);
  assert.deepEqual(await readFile(b.path), makeWalSegment(first), 'the other still has it');
  assert.deepEqual(await readFile(target), makeWalSegment(first));
  await b.moveTo(target);
  await b.release();
  assert.deepEqual(await site.prefetched(), []);
});

test('giving up waiting does not stop the transfer, and asking again joins it', async () => {
  await using site = await TestWalSite.start(pool);
  await site.archiveNew([first]);
  const released = Promise.withResolvers<void>();
  site.store.inject({ operation: 'get', how: 'wait', until: released.promise });
  const gaveUp = new AbortController();
  const impatient = site.fetcher.fetch(first, gaveUp.signal);
  await waitFor(() => site.store.count('get') === 1, { withinMs: 30_000, what: 'the transfer has begun' });
  gaveUp.abort(new Error('TIMEOUT'));
  await assert.rejects(impatient, /TIMEOUT/);
  const again = site.fetchBytes(first);
  released.resolve();
  assert.deepEqual(await again, makeWalSegment(first));
  assert.equal(site.store.count('get'), 1);
});

test('a transfer that breaks off is repeated', async () => {
  await using site = await TestWalSite.start(pool);
  await site.archiveNew([first]);
  site.store.inject({ operation: 'get', call: 1, how: 'refuse' });
  site.store.inject({ operation: 'get', call: 2, how: 'cut', after: 1000 });
  assert.deepEqual(await site.fetchBytes(first), makeWalSegment(first));
  site.store.heal();
  site.store.inject({ operation: 'get', how: 'cut', after: 1000 });
  await assert.rejects(site.fetcher.fetch(first), { code: 'store-unreachable', retryable: true });
  assert.deepEqual(await site.prefetched(), []);
});

test('damage in the store is found, after a second look, and never handed out', async () => {
  const keys = await createKeyPair(2048);
  await using plain = await TestWalSite.start(pool);
  await using sealed = await TestWalSite.start(pool, {
    sealing: { encryption: { keyId: 'k', publicKey: keys.publicKey } },
    privateKeys: { k: keys.privateKey },
  });
  const damages: readonly [string, (bytes: Buffer) => Uint8Array][] = [
    ['a flipped bit', flipBit],
    ['cut short', (bytes) => bytes.subarray(0, bytes.length - 100)],
    ['nothing left', () => Buffer.alloc(0)],
    ['junk behind', (bytes) => Buffer.concat([bytes, Buffer.from('junk')])],
    ['no container at all', () => Buffer.from('<html>504 Gateway Time-out</html>')],
  ];
  for (const site of [plain, sealed]) {
    for (const [what, damage] of damages) {
      await site.store.delete(site.catalog.walKey(first));
      await site.archiveNew([first]);
      await tamper(site, first, damage);
      const before = site.store.count('get');
      await assert.rejects(site.fetcher.fetch(first), { code: 'object-corrupt' }, what);
      assert.equal(site.store.count('get') - before, 2, what);
      assert.deepEqual(await site.prefetched(), [], what);
    }
  }
});

test('a store of local files is read where it lies, as critically, and keeps what it has', async () => {
  await using directory = await makeTemporaryDirectory();
  await using site = await TestWalSite.start(pool, { store: new LocalStore({ directory: directory.path }) });
  await site.archiveNew([first]);
  const file = join(directory.path, site.catalog.walKey(first));
  const sealed = await readFile(file);
  for (let time = 0; time < 2; time++) assert.deepEqual(await site.fetchBytes(first), makeWalSegment(first));
  assert.deepEqual(await readFile(file), sealed);
  await writeFile(file, flipBit(sealed));
  await assert.rejects(site.fetcher.fetch(first), { code: 'object-corrupt' });
  assert.deepEqual(await readFile(file), flipBit(sealed));
  assert.deepEqual(await site.prefetched(), []);
});

test('an object under the wrong name, or with content other than its metadata says, is not handed out', async () => {
  await using site = await TestWalSite.start(pool);
  await site.archiveNew([first, second]);
  const { entry, bytes } = await site.store.get(site.catalog.walKey(first));
  const content = await buffer(bytes);
  await site.store.put(site.catalog.walKey(second), sourceOfBytes(content), { metadata: entry.metadata });
  await assert.rejects(site.fetcher.fetch(second), { code: 'object-corrupt' });
  await site.store.put(site.catalog.walKey(first), sourceOfBytes(content), { metadata: { ...entry.metadata, hash: '0'.repeat(40) } });
  await assert.rejects(site.fetcher.fetch(first), { code: 'object-corrupt' });
});

test('objects without a hash or with one of an unknown kind are served after a look at their header', async () => {
  await using site = await TestWalSite.start(pool);
  await site.archiveNew([first]);
  const { entry, bytes } = await site.store.get(site.catalog.walKey(first));
  const content = await buffer(bytes);
  const { hash: _hash, 'hash-algorithm': _algorithm, ...rest } = entry.metadata;
  for (const metadata of [rest, { ...rest, hash: 'abc', 'hash-algorithm': 'shake_128' }]) {
    await site.store.put(site.catalog.walKey(first), sourceOfBytes(content), { metadata });
    assert.deepEqual(await site.fetchBytes(first), makeWalSegment(first));
  }
});

test('a missing or wrong private key is named, and is no damage', async () => {
  const [keys, others] = [await createKeyPair(2048), await createKeyPair(2048)];
  const sealing = { encryption: { keyId: 'k', publicKey: keys.publicKey } };
  await using site = await TestWalSite.start(pool, { sealing });
  await site.archiveNew([first]);
  await assert.rejects(site.fetcher.fetch(first), { code: 'key-missing' });
  await using wrong = await TestWalSite.start(pool, { store: site.store, privateKeys: { k: others.privateKey } });
  await assert.rejects(wrong.fetcher.fetch(first), { code: 'key-wrong' });
});

test('history and partial files come back without anything ahead', async () => {
  await using site = await TestWalSite.start(pool, { fetcher: { segmentsAhead: { start: 4, max: 4 } } });
  const partial = `${first}.partial`;
  await site.archiveNew(['00000002.history', partial, second]);
  const seen = site.store.calls.length;
  assert.deepEqual(await site.fetchBytes('00000002.history'), makeHistory('00000002.history'));
  assert.deepEqual(await site.fetchBytes(partial), makeWalSegment(first));
  assert.equal(site.store.calls.length - seen, 2);
});

test('a fetched file goes to its place whole, also to another filesystem, and belongs to whom the directory belongs to', async () => {
  await using site = await TestWalSite.start(pool);
  await site.archiveNew([first]);
  await using elsewhere = {
    path: `/dev/shm/pghoard-test-${process.pid}`,
    [Symbol.asyncDispose]: () => rm(elsewhere.path, { recursive: true, force: true }),
  };
  await mkdir(elsewhere.path);
  for (const directory of [site.walDirectory, elsewhere.path]) {
    const target = join(directory, 'RECOVERYXLOG');
    if (process.getuid?.() === 0) await chown(directory, 65_534, 65_534);
    await writeFile(target, 'what an earlier attempt left');
    await (await site.fetcher.fetch(first)).moveTo(target);
    assert.deepEqual(await readFile(target), makeWalSegment(first));
    const [file, above] = [await stat(target), await stat(directory)];
    assert.deepEqual([file.mode & 0o777, file.uid, file.gid], [0o600, above.uid, above.gid]);
  }
  assert.deepEqual(await readdir(elsewhere.path), ['RECOVERYXLOG']);
  const wal = await site.fetcher.fetch(first);
  await assert.rejects(wal.moveTo(join(site.directory, 'no such directory', 'x')));
  assert.deepEqual(await site.prefetched(), [], 'a failed move leaves nothing behind either');
});
