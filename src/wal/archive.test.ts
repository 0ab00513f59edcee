import assert from 'node:assert/strict';
import { mkdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { after, test } from 'node:test';
import { waitFor } from '../../test/support/wait-for.ts';
import { makeWalSegment, mebibyte, testSystemIdentifier } from '../../test/support/wal-segment.ts';
import { TestWalSite } from '../../test/support/wal-site.ts';
import type { Applicant } from '../catalog/identity-keeper.ts';
import { createKeyPair } from '../codec/keys.ts';
import { CodecPool } from '../codec/pool.ts';
import { explain, OperatorError } from '../lib/errors.ts';
import { sourceOfBytes } from '../storage/object-source.ts';
import { Spool } from '../transfer/spool.ts';
import { readWalSource } from './wal-source.ts';

const pool = new CodecPool(2);
after(() => pool.close());

const segment = '000000010000000000000003';

test('a segment is stored with what its readers need, comes back byte for byte, and leaves nothing in the spool', async () => {
  await using site = await TestWalSite.start(pool, {
    archiver: { cluster: () => ({ pgVersion: 150018, systemIdentifier: testSystemIdentifier }) },
  });
  const path = await site.write(segment);
  assert.equal(await site.archiver.archive(segment, path), 'stored');
  const stored = await site.catalog.store.head(`main/xlog/${segment}`);
  const { hash, 'Content-Length': length, ...rest } = stored.metadata;
  assert.deepEqual(rest, {
    'compression-algorithm': 'snappy',
    'compression-level': '0',
    'original-file-size': String(mebibyte),
    'pg-version': '150018',
    host: 'test-host',
    'hash-algorithm': 'sha1',
  });
  assert.match(hash ?? '', /^[0-9a-f]{40}$/);
  assert.equal(length, String(stored.size));
  assert.deepEqual(await site.fetchBytes(segment), await readFile(path));
  assert.deepEqual(await site.spooled(), []);
});

for (const segmentBytes of [mebibyte, 16 * mebibyte]) {
  for (const algorithm of ['snappy', 'zstd'] as const) {
    test(`segments of ${segmentBytes / mebibyte} MiB, ${algorithm}, encrypted`, async () => {
      const keys = await createKeyPair(2048);
      await using site = await TestWalSite.start(pool, {
        sealing: { compression: { algorithm, level: 1 }, encryption: { keyId: 'k', publicKey: keys.publicKey } },
        privateKeys: { k: keys.privateKey },
      });
      const name = segmentBytes === mebibyte ? '000000010000000000000FFF' : segment;
      const path = await site.write(name, { segmentBytes });
      await site.archiver.archive(name, path);
      assert.equal((await site.catalog.store.head(`main/xlog/${name}`)).metadata['encryption-key-id'], 'k');
      assert.deepEqual(await site.fetchBytes(name), await readFile(path));
    });
  }
}

test('history files, partial segments and backup labels each go where they belong', async () => {
  await using site = await TestWalSite.start(pool);
  assert.equal(await site.archiver.archive('00000002.history', await site.write('00000002.history')), 'stored');
  const partial = `${segment}.partial`;
  assert.equal(await site.archiver.archive(partial, await site.write(partial)), 'stored');
  assert.equal(await site.archiver.archive(`${segment}.00000028.backup`, '/nowhere'), 'ignored');
  const keys = [];
  for await (const { key } of site.store.list('')) keys.push(key);
  assert.deepEqual(keys, ['main/timeline/00000002.history', `main/xlog_partial/${partial}`]);
});

test('a file that is archived while another of the same name is, is compared with it; asking twice for one is not', async () => {
  await using site = await TestWalSite.start(pool);
  const [path, same, other] = [await site.write(segment), join(site.directory, 'same'), join(site.directory, 'other')];
  await writeFile(same, makeWalSegment(segment));
  await writeFile(other, makeWalSegment(segment, { filling: 'other' }));
  const results = await Promise.allSettled([path, other, same, path].map((each) => site.archiver.archive(segment, each)));
  const outcomes = results.map((each) => (each.status === 'fulfilled' ? each.value : (each.reason as OperatorError).code));
  assert.deepEqual(outcomes, ['stored', 'wal-conflict', 'already-stored', 'stored']);
  assert.ok((await site.fetchBytes(segment)).equals(makeWalSegment(segment)));
});

test('the same content again is a success, other content is refused and changes nothing', async () => {
  await using site = await TestWalSite.start(pool);
  await site.archiveNew([segment, '00000002.history']);
  const before = await site.store.head(`main/xlog/${segment}`);
  assert.equal(await site.archiver.archive(segment, await site.write(segment)), 'already-stored');
  await assert.rejects(site.archiver.archive(segment, await site.write(segment, { filling: 'other' })), { code: 'wal-conflict' });
  await assert.rejects(
    site.archiver.archive('00000002.history', await site.writeBytes('00000002.history', Buffer.from('1\t0/5000000\tother\n'))),
    { code: 'wal-conflict' },
  );
  assert.deepEqual(await site.store.head(`main/xlog/${segment}`), before);
  assert.equal(site.store.count('put'), 2);
  assert.deepEqual(await site.spooled(), []);
});

test('what an older version stored without a hash is fetched and compared', async () => {
  await using site = await TestWalSite.start(pool);
  await site.archiveNew([segment]);
  const key = `main/xlog/${segment}`;
  const { entry, bytes } = await site.store.get(key);
  const { hash: _hash, 'hash-algorithm': _algorithm, ...metadata } = entry.metadata;
  await site.store.put(key, sourceOfBytes(await buffer(bytes)), { metadata });
  assert.equal(await site.archiver.archive(segment, await site.write(segment)), 'already-stored');
  await assert.rejects(site.archiver.archive(segment, await site.write(segment, { filling: 'other' })), { code: 'wal-conflict' });
  assert.deepEqual(await site.prefetched(), []);
});

test('two writers at the same moment: the loser compares with what the winner stored', async () => {
  await using site = await TestWalSite.start(pool);
  const [ours, theirs] = [makeWalSegment(segment), makeWalSegment(segment, { filling: 'other' })];
  for (const [content, expected] of [
    [ours, 'already-stored'],
    [theirs, 'wal-conflict'],
  ] as const) {
    await using other = await TestWalSite.start(pool);
    await other.archiver.archive(segment, await other.writeBytes(segment, content));
    const { entry, bytes } = await other.store.get(`main/xlog/${segment}`);
    const sealed = await buffer(bytes);
    await site.store.delete(`main/xlog/${segment}`);
    site.store.heal();
    const released = Promise.withResolvers<void>();
    site.store.inject({ operation: 'put', call: 1, how: 'wait', until: released.promise });
    const archiving = site.archiver.archive(segment, await site.writeBytes(segment, ours)).catch((error: OperatorError) => error.code);
    await waitFor(() => site.store.count('put') % 2 === 1, { withinMs: 30_000, what: 'the upload has begun' });
    await site.store.put(`main/xlog/${segment}`, sourceOfBytes(sealed), { metadata: entry.metadata });
    released.resolve();
    assert.equal(await archiving, expected);
    assert.deepEqual(await site.spooled(), []);
  }
});

test('files that are not what their name says never reach the store', async () => {
  await using site = await TestWalSite.start(pool, { archiver: { cluster: () => ({ systemIdentifier: testSystemIdentifier }) } });
  const cases: readonly [string, string, Uint8Array][] = [
    ['recycled', segment, makeWalSegment('000000010000000000000001')],
    ['newer timeline in the header', segment, makeWalSegment(segment, { timeline: 2 })],
    ['unknown magic', segment, makeWalSegment(segment, { magic: 0x1234 })],
    ['too short', segment, makeWalSegment(segment).subarray(0, mebibyte - 1)],
    ['too long', segment, Buffer.concat([makeWalSegment(segment), Buffer.alloc(1)])],
    ['header only', segment, makeWalSegment(segment).subarray(0, 40)],
    ['empty', segment, Buffer.alloc(0)],
    ['zeros', segment, Buffer.alloc(mebibyte)],
    ['empty history', '00000002.history', Buffer.alloc(0)],
    ['a history that is none', '00000002.history', Buffer.from('#!/bin/sh\nrm -rf /\n')],
    ['a huge history', '00000002.history', Buffer.alloc(2 * mebibyte, '1\t0/3000000\treason\n')],
    ['a partial of another segment', `${segment}.partial`, makeWalSegment('000000010000000000000001')],
  ];
  for (const [what, name, bytes] of cases) {
    await assert.rejects(site.archiver.archive(name, await site.writeBytes(name, bytes)), { code: 'wal-invalid' }, what);
  }
  assert.equal(site.store.count('put'), 0);
  assert.deepEqual(await site.spooled(), []);
});

test('WAL of another cluster never reaches the store', async () => {
  const cluster = () => ({ systemIdentifier: testSystemIdentifier, segmentBytes: mebibyte });
  await using site = await TestWalSite.start(pool, { archiver: { cluster } });
  const name = '000000010000000000000001';
  for (const other of [{ systemIdentifier: 1n }, { segmentBytes: 2 * mebibyte }]) {
    await assert.rejects(site.archiver.archive(name, await site.write(name, other)), { code: 'cluster-mismatch', hint: /A new cluster/ });
  }
  assert.equal(site.store.count('put'), 0);
  assert.deepEqual(await site.spooled(), []);
});

test('before each attempt to store a file it is asked whether it may be, with what the file says of itself', async () => {
  const asked: Applicant[] = [];
  let refusal: OperatorError | undefined;
  const admit = async (applicant: Applicant) => {
    asked.push(applicant);
    if (refusal) throw refusal;
  };
  await using site = await TestWalSite.start(pool, { archiver: { admit } });
  site.store.inject({ operation: 'put', call: 1, how: 'refuse' });
  await site.archiver.archive(segment, await site.write(segment));
  const seen = { systemIdentifier: testSystemIdentifier, segmentBytes: mebibyte, major: '15' };
  assert.deepEqual(asked.splice(0), [
    { what: segment, ...seen },
    { what: segment, ...seen },
  ]);
  await site.archiver.archive('00000002.history', await site.write('00000002.history'));
  assert.deepEqual(asked.splice(0), [{ what: '00000002.history' }]);

  refusal = new OperatorError('cluster-mismatch', 'not here');
  const next = '000000010000000000000004';
  await assert.rejects(site.archiver.archive(next, await site.write(next)), refusal);
  assert.equal(await site.catalog.findWal(next), undefined);
  assert.deepEqual(await site.spooled(), []);
});

test('a timeline copied from its ancestor is accepted', async () => {
  await using site = await TestWalSite.start(pool);
  const name = '000000020000000000000003';
  assert.equal(await site.archiver.archive(name, await site.write(name, { timeline: 1 })), 'stored');
});

test('only regular files are read, and links are not followed', async () => {
  await using site = await TestWalSite.start(pool);
  const path = join(site.walDirectory, segment);
  const missing = { code: 'wal-file-missing' };
  await assert.rejects(site.archiver.archive(segment, path), missing, 'nothing there');
  await writeFile(join(site.directory, 'secret'), makeWalSegment(segment));
  await symlink(join(site.directory, 'secret'), path);
  await assert.rejects(site.archiver.archive(segment, path), missing, 'a link');
  const other = '000000010000000000000004';
  await mkdir(join(site.walDirectory, other));
  await assert.rejects(site.archiver.archive(other, join(site.walDirectory, other)), missing, 'a directory');
  assert.deepEqual(await site.spooled(), []);
});

test('names of no WAL file are refused before anything is looked at', async () => {
  await using site = await TestWalSite.start(pool);
  for (const name of [
    '',
    'basebackup',
    '../../etc/passwd',
    `${segment}x`,
    segment.toLowerCase().replace('1', 'a'),
    `${segment}.partial.gz`,
    `${segment}\0`,
  ]) {
    await assert.rejects(site.archiver.archive(name, join(site.walDirectory, segment)), { code: 'wal-name-invalid' }, name);
  }
  assert.deepEqual(site.store.calls, []);
});

test('a store that is away for a while costs nothing but time, and one file is sealed and uploaded once however often it is asked for', async () => {
  await using site = await TestWalSite.start(pool);
  site.store.inject({ operation: 'head', how: 'refuse' });
  site.store.inject({ operation: 'put', how: 'refuse' });
  const path = await site.write(segment);
  const gaveUp = new AbortController();
  const first = site.archiver.archive(segment, path, gaveUp.signal);
  await waitFor(() => site.store.count('put') >= 3, { withinMs: 30_000, what: 'several attempts to upload' });
  gaveUp.abort(new Error('TIMEOUT'));
  await assert.rejects(first, /TIMEOUT/);
  const again = [site.archiver.archive(segment, path), site.archiver.archive(segment, path)];
  site.store.heal();
  assert.deepEqual(await Promise.all(again), ['stored', 'stored']);
  assert.deepEqual(await site.fetchBytes(segment), await readFile(path));
});

test('an upload whose answer was lost is not a conflict with itself', async () => {
  await using site = await TestWalSite.start(pool);
  site.store.inject({ operation: 'put', call: 1, how: 'lose-response' });
  assert.equal(await site.archiver.archive(segment, await site.write(segment)), 'already-stored');
});

test('a refusal by the store reaches PostgreSQL and leaves no rest in the spool', async () => {
  await using site = await TestWalSite.start(pool);
  site.store.inject({ operation: 'put', how: 'refuse', error: new OperatorError('store-denied', 'no') });
  await assert.rejects(site.archiver.archive(segment, await site.write(segment)), { code: 'store-denied' });
  assert.deepEqual(await site.spooled(), []);
});

test('what a dead daemon left in the spool is uploaded by the next one', async () => {
  await using dead = await TestWalSite.start(pool);
  dead.store.inject({ operation: 'put', how: 'refuse' });
  const names = [segment, '000000010000000000000004', '00000002.history'];
  const stopped = Promise.all(
    names.map(async (name) => dead.archiver.archive(name, await dead.write(name)).catch((error: Error) => error.message)),
  );
  await waitFor(() => new Set(dead.store.calls.filter(({ operation }) => operation === 'put').map(({ key }) => key)).size === 3, {
    withinMs: 30_000,
    what: 'all three are being uploaded',
  });
  await dead.abort();
  assert.deepEqual(await stopped, ['the test ends', 'the test ends', 'the test ends']);
  assert.equal((await dead.spooled()).length, 6);

  await using next = await TestWalSite.start(pool, { archiver: { spool: dead.spool } });
  await next.archiver.resume();
  assert.deepEqual(await dead.spooled(), []);
  assert.equal(next.uploads.stats.snapshot()['main']?.upload?.xlog?.count, 2);
  assert.deepEqual(next.uploads.sealing.snapshot(), {}, 'they were sealed in the life before');
  for (const name of names) assert.deepEqual(await next.fetchBytes(name), await readFile(join(dead.walDirectory, name)));
});

test('a spooled file that contradicts the store stays, is named, and holds nothing else up', async () => {
  await using dead = await TestWalSite.start(pool);
  dead.store.inject({ operation: 'put', how: 'refuse' });
  const other = '000000010000000000000004';
  const runs = [segment, other].map(async (name) => dead.archiver.archive(name, await dead.write(name)).catch(() => 'stopped'));
  await waitFor(async () => (await dead.spooled()).length === 4 && dead.store.count('put') > 2, {
    withinMs: 30_000,
    what: 'both are spooled',
  });
  await dead.abort();
  await Promise.all(runs);

  await using next = await TestWalSite.start(pool, { archiver: { spool: dead.spool } });
  const broken = '000000010000000000000005';
  await writeFile(dead.spool.walFile(broken), 'x');
  await writeFile(`${dead.spool.walFile(broken)}.metadata`, '{"half a li');
  await using rival = await TestWalSite.start(pool, { store: next.store });
  await rival.archiveNew([segment], { filling: 'rival' });
  await assert.rejects(next.archiver.resume(), (error: OperatorError) => {
    assert.equal(error.code, 'spool-stuck');
    assert.match(error.message, new RegExp(segment));
    assert.match(error.message, new RegExp(broken));
    assert.match(explain(error), /already stored with other content|cannot read/);
    return true;
  });
  assert.deepEqual((await dead.spooled()).toSorted(), [segment, `${segment}.metadata`, broken, `${broken}.metadata`]);
  assert.ok(await next.catalog.findWal(other));
});

test('a file without metadata in the spool is not trusted: the segment is sealed anew', async () => {
  await using site = await TestWalSite.start(pool);
  await writeFile(site.spool.walFile(segment), 'half of somethi');
  await site.archiver.resume();
  const path = await site.write(segment);
  assert.equal(await site.archiver.archive(segment, path), 'stored');
  assert.deepEqual(await site.fetchBytes(segment), await readFile(path));
});

test('a file that changes while it is read is refused', async () => {
  await using site = await TestWalSite.start(pool);
  const path = await site.write(segment, { segmentBytes: 16 * mebibyte });
  let pieces = 0;
  const reading = readWalSource(
    segment,
    path,
    {},
    async () => void (++pieces === 2 && (await truncate(path, 20 * mebibyte))),
    new AbortController().signal,
  );
  await assert.rejects(reading, { code: 'wal-changed' });
});

test('a full disk under the spool is said, and may pass', async () => {
  await using site = await TestWalSite.start(pool);
  /** Everything that is written there meets a full disk. */
  class FullSpool extends Spool {
    override temporaryFor(): string {
      return join(this.walDirectory, 'full.tmp');
    }
  }
  const spool = new FullSpool(join(site.directory, 'spool'), 'main');
  await symlink('/dev/full', spool.temporaryFor());
  await using full = await TestWalSite.start(pool, { archiver: { spool } });
  await assert.rejects(full.archiver.archive(segment, await full.write(segment)), (error: OperatorError) => {
    assert.equal(error.code, 'disk-full');
    assert.ok(error.retryable);
    return true;
  });
  assert.deepEqual(await site.spooled(), ['full.tmp'], 'only the device that the test put there');
  await rm(spool.temporaryFor());
  assert.equal(await full.archiver.archive(segment, join(full.walDirectory, segment)), 'stored', 'once there is room');
});
