import assert from 'node:assert/strict';
import { chmod, chown, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { after, test } from 'node:test';
import { waitFor } from '../../test/support/wait-for.ts';
import { makeHistory, makeWalSegment, mebibyte } from '../../test/support/wal-segment.ts';
import { TestWalSite } from '../../test/support/wal-site.ts';
import type { Job } from '../codec/job.ts';
import { createKeyPair } from '../codec/keys.ts';
import { CodecPool, type RunOptions } from '../codec/pool.ts';
import type { Clock } from '../lib/clock.ts';
import { systemClock } from '../lib/clock.ts';
import { OperatorError } from '../lib/errors.ts';
import { sourceOfBytes } from '../storage/object-source.ts';

const pool = new CodecPool(2);
after(() => pool.close());

/** The last three segments before a carry and the first two after it, of 1 MiB each. */
const names = [
  '000000010000000000000FFD',
  '000000010000000000000FFE',
  '000000010000000000000FFF',
  '000000010000000100000000',
  '000000010000000100000001',
];
const [first, second, third, fourth] = names as [string, string, string, string, string];

/** Replaces the stored bytes by what `change` makes of them. */
async function tamper(site: TestWalSite, name: string, change: (bytes: Buffer) => Uint8Array): Promise<void> {
  const key = site.catalog.walKey(name);
  const { entry, bytes } = await site.store.get(key);
  await site.store.put(key, sourceOfBytes(change(await buffer(bytes))), { metadata: entry.metadata });
}

function flipBit(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  const at = copy.length >> 1;
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}

function isFinished(name: string): boolean {
  return !name.endsWith('.tmp');
}

async function fetchedAhead(site: TestWalSite, count: number): Promise<void> {
  await waitFor(async () => (await site.prefetched()).filter(isFinished).length === count && (await site.prefetched()).every(isFinished), {
    withinMs: 10_000,
    what: `${count} files fetched ahead`,
  });
}

test('following segments are fetched ahead, right across the carry, and no further than the store has them', async () => {
  await using site = await TestWalSite.start(pool, { fetcher: { segmentsAhead: { start: 8, max: 8 } } });
  await site.archiveNew(names);
  const seen = site.store.calls.length;
  await site.fetchBytes(first);
  await fetchedAhead(site, 4);
  const beyond = /000000010000000100000(00[2-9]|01)/;
  await waitFor(() => site.store.count('get', beyond) > 0, { withinMs: 5000, what: 'the end of the archive is found' });
  const asked = site.store.calls.slice(seen).map(({ key }) => key.slice(-24));
  assert.deepEqual(asked.slice(0, 5), names, 'one request for each name');
  assert.ok(asked.length <= 5 + 4, 'and no more beyond the end than may be under way at once');
  for (const [at, name] of names.slice(1).entries()) {
    assert.deepEqual(await site.fetchBytes(name), makeWalSegment(name));
    await waitFor(() => site.store.calls.length === seen + asked.length + at + 1, {
      withinMs: 5000,
      what: 'then the end is asked for once a time',
    });
  }
  assert.equal(site.store.count('get', new RegExp(second)), 1, 'what was fetched ahead is not fetched again');
  assert.deepEqual(await site.prefetched(), []);
});

test('the segment size is learned from the segment: 16 MiB carries after FF', async () => {
  await using site = await TestWalSite.start(pool, { fetcher: { segmentsAhead: { start: 1, max: 1 } } });
  const [last, next] = ['0000000100000000000000FF', '000000010000000100000000'];
  for (const name of [last, next]) await site.archiver.archive(name, await site.write(name, { segmentBytes: 16 * mebibyte }));
  await site.fetchBytes(last);
  await fetchedAhead(site, 1);
  assert.equal(site.store.count('get', new RegExp(next)), 1);
});

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
  await assert.rejects(site.fetcher.fetch(first), { code: 'wal-missing' }, 'what a former site left is enough');
});

test('a file that appears after it was missing is found at once', async () => {
  await using site = await TestWalSite.start(pool, { fetcher: { segmentsAhead: { start: 2, max: 2 } } });
  await site.archiveNew([first]);
  await site.fetchBytes(first);
  await assert.rejects(site.fetcher.fetch(second), { code: 'wal-missing' });
  await site.archiveNew([second]);
  assert.deepEqual(await site.fetchBytes(second), makeWalSegment(second));
});

test('a look-ahead that found nothing does not answer for a request that came later', async () => {
  await using site = await TestWalSite.start(pool, { fetcher: { segmentsAhead: { start: 1, max: 1 } } });
  await site.archiveNew([first]);
  const released = Promise.withResolvers<void>();
  const missing = new OperatorError('object-missing', 'not there yet');
  site.store.inject({
    operation: 'get',
    key: new RegExp(second),
    call: 1,
    how: 'wait',
    until: released.promise.then(() => Promise.reject(missing)),
  });
  await site.fetchBytes(first);
  await waitFor(() => site.store.count('get', new RegExp(second)) === 1, { withinMs: 5000, what: 'looking ahead' });
  await site.archiveNew([second]);
  const fetching = site.fetchBytes(second);
  released.resolve();
  assert.deepEqual(await fetching, makeWalSegment(second));
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
  await waitFor(() => site.store.count('get') === 1, { withinMs: 5000, what: 'the transfer has begun' });
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

test('a file fetched ahead that was damaged on local disk, or removed, is fetched again', async () => {
  await using site = await TestWalSite.start(pool, { fetcher: { segmentsAhead: { start: 2, max: 2 } } });
  await site.archiveNew([first, second, third]);
  await site.fetchBytes(first);
  await fetchedAhead(site, 2);
  for (const file of await site.prefetched()) {
    const path = join(site.spool.prefetchDirectory, file);
    if (file.startsWith(second)) await writeFile(path, flipBit(await readFile(path)));
    else await rm(path);
  }
  assert.deepEqual(await site.fetchBytes(second), makeWalSegment(second));
  assert.deepEqual(await site.fetchBytes(third), makeWalSegment(third));
});

/** Remembers which jobs it ran. */
class WatchedPool extends CodecPool {
  readonly jobs: string[] = [];
  override run<I, R>(job: Job<I, R>, input: I, options?: RunOptions): Promise<R> {
    this.jobs.push(job.name);
    return super.run(job, input, options);
  }
}

test('a file fetched ahead is read again if anybody touched it, or if it has lain for long', async () => {
  let nowMs = 0;
  await using watched = new WatchedPool(1);
  const clock: Clock = { ...systemClock, monotonicMs: () => nowMs };
  await using site = await TestWalSite.start(watched, { fetcher: { segmentsAhead: { start: 3, max: 3 }, clock } });
  await site.archiveNew([first, second, third, fourth]);
  await site.fetchBytes(first);
  await fetchedAhead(site, 3);
  const checks = () => watched.jobs.filter((job) => job === 'verifyWal').length;
  await site.fetchBytes(second);
  assert.equal(checks(), 0, 'it has just been written');
  const touched = (await site.prefetched()).find((file) => file.startsWith(third)) ?? '';
  await chmod(join(site.spool.prefetchDirectory, touched), 0o640);
  await site.fetchBytes(third);
  assert.equal(checks(), 1);
  nowMs += 60_000;
  await site.fetchBytes(fourth);
  assert.equal(checks(), 2);
  assert.equal(site.store.count('get', /FF[DEF]$|0{8}$/), 4, 'each was fetched once');
});

test('more is fetched ahead if PostgreSQL had to wait', async () => {
  await using site = await TestWalSite.start(pool, { fetcher: { segmentsAhead: { start: 1, max: 3 } } });
  await site.archiveNew(names);
  const released = Promise.withResolvers<void>();
  site.store.inject({ operation: 'get', key: new RegExp(second), how: 'wait', until: released.promise });
  await site.fetchBytes(first);
  await waitFor(() => site.store.count('get', new RegExp(second)) === 1, { withinMs: 5000, what: 'the second one is under way' });
  const waiting = site.fetchBytes(second);
  released.resolve();
  await waiting;
  await fetchedAhead(site, 3);
});

test('files that nobody will ask for any more are dropped: after a jump, after a pause, at the end', async () => {
  const pauses: (() => void)[] = [];
  const clock: Clock = {
    ...systemClock,
    sleep: (_ms, signal) =>
      new Promise((resolve, reject) => {
        pauses.push(resolve);
        signal?.addEventListener('abort', () => reject(signal.reason as Error));
      }),
  };
  await using site = await TestWalSite.start(pool, { fetcher: { segmentsAhead: { start: 2, max: 2 }, clock } });
  await site.archiveNew(names);
  await site.fetchBytes(first);
  await fetchedAhead(site, 2);
  await site.fetchBytes(fourth);
  await fetchedAhead(site, 1);
  assert.deepEqual(
    (await site.prefetched()).map((file) => file.slice(0, 24)),
    [names[4]],
  );
  pauses.at(-1)?.();
  await waitFor(async () => (await site.prefetched()).length === 0, { withinMs: 5000, what: 'dropped after the pause' });
  await site.fetchBytes(first);
  await fetchedAhead(site, 2);
  await site.fetcher.close();
  assert.deepEqual(await site.prefetched(), []);
  await assert.rejects(site.fetcher.fetch(first), { code: 'shutting-down' });
});

test('a disk full of what was fetched ahead is cleared for what is asked for', async () => {
  await using site = await TestWalSite.start(pool, { fetcher: { segmentsAhead: { start: 2, max: 2 } } });
  await site.archiveNew(names);
  await site.fetchBytes(first);
  await fetchedAhead(site, 2);
  const full = new OperatorError('disk-full', 'no room', { retryable: true });
  site.store.inject({ operation: 'get', key: new RegExp(fourth), call: 1, how: 'cut', after: 0, error: full });
  assert.deepEqual(await site.fetchBytes(fourth), makeWalSegment(fourth));
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
