import assert from 'node:assert/strict';
import { readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { makeWalSegment, mebibyte } from '../../test/support/wal-segment.ts';
import { TestWalSite } from '../../test/support/wal-site.ts';
import { beginningName } from '../catalog/wal-beginning.ts';
import { createKeyPair } from '../codec/keys.ts';
import { CodecPool } from '../codec/pool.ts';

const pool = new CodecPool(2);
after(() => pool.close());

const [first, second, third] = ['000000010000000000000FFE', '000000010000000000000FFF', '000000010000000100000000'] as const;
const name = (segment: string, bytes: number) => beginningName({ segment, bytes });
const unfinished = { unfinished: true };

async function fetched(site: TestWalSite, segment: string): Promise<Buffer> {
  await using wal = await site.fetcher.fetch(segment, undefined, unfinished);
  return await readFile(wal.path);
}

for (const algorithm of ['snappy', 'zstd'] as const) {
  test(`a beginning comes back with zeros behind it, whatever the file held there (${algorithm}, encrypted)`, async () => {
    const keys = await createKeyPair(2048);
    await using site = await TestWalSite.start(pool, {
      sealing: { compression: { algorithm, level: 1 }, encryption: { keyId: 'k', publicKey: keys.publicKey } },
      privateKeys: { k: keys.privateKey },
    });
    for (const bytes of [40, 8192, 700_001, mebibyte - 1]) {
      const expected = await site.storeBeginning(first, bytes);
      assert.ok((await fetched(site, first)).equals(expected), `${bytes} bytes`);
    }
    assert.deepEqual(await site.spooled(), []);
  });
}

test('a longer one is there before the shorter one goes, which may stay if it cannot be removed', async () => {
  await using site = await TestWalSite.start(pool);
  await site.storeBeginning(first, 1000);
  await site.storeBeginning(first, 2000);
  assert.deepEqual(await site.storedPartials(), [name(first, 2000)]);
  const order = site.store.calls
    .filter(({ operation }) => operation !== 'list')
    .map(({ operation, key }) => `${operation} ${key.slice(-16)}`);
  assert.deepEqual(order.slice(-2), ['put 000007D0.partial', 'delete 000003E8.partial']);
  site.store.inject({ operation: 'delete', how: 'refuse' });
  await site.storeBeginning(first, 3000);
  assert.deepEqual(await site.storedPartials(), [name(first, 2000), name(first, 3000)]);
  assert.ok((await fetched(site, first)).subarray(0, 3000).equals(makeWalSegment(first).subarray(0, 3000)), 'the longest one counts');
  site.store.heal();
  await site.storeBeginning(second, 500);
  assert.deepEqual(await site.storedPartials(), [name(first, 2000), name(first, 3000), name(second, 500)], 'another segment is no reason');
  await site.beginnings.forget(first);
  assert.deepEqual(await site.storedPartials(), [name(second, 500)]);
});

test('one that is stored already is recognised, other content under its name is refused', async () => {
  await using site = await TestWalSite.start(pool);
  await site.storeBeginning(first, 1000);
  await site.storeBeginning(first, 1000);
  assert.deepEqual(await site.storedPartials(), [name(first, 1000)]);
  const path = await site.writeBytes('other', makeWalSegment(first, { filling: 'other' }));
  const { signal } = new AbortController();
  await assert.rejects(site.beginnings.store({ segment: first, bytes: 1000, path, segmentBytes: mebibyte }, signal), {
    code: 'wal-conflict',
  });
});

test('a file that has its final name by now, or is not what its name says, is not stored', async () => {
  await using site = await TestWalSite.start(pool);
  const { signal } = new AbortController();
  const store = (path: string) => site.beginnings.store({ segment: first, bytes: 1000, path, segmentBytes: mebibyte }, signal);
  await assert.rejects(store(join(site.walDirectory, `${first}.partial`)), { code: 'wal-file-missing' });
  await site.write(second);
  await rename(join(site.walDirectory, second), join(site.walDirectory, `${first}.partial`));
  await assert.rejects(store(join(site.walDirectory, `${first}.partial`)), { code: 'wal-invalid' });
  assert.deepEqual([await site.storedPartials(), await site.spooled()], [[], []]);
});

test('at a start those go that are of no use any more', async () => {
  await using site = await TestWalSite.start(pool);
  site.store.inject({ operation: 'delete', how: 'refuse' });
  for (const [segment, bytes] of [
    [first, 100],
    [first, 200],
    [second, 300],
    [second, 400],
    [third, 500],
  ] as const)
    await site.storeBeginning(segment, bytes);
  await site.archiver.archive(`${second}.partial`, join(site.walDirectory, `${second}.partial`));
  await site.archiveNew([first]);
  site.store.heal();
  await site.beginnings.sweep();
  assert.deepEqual(await site.storedPartials(), [name(second, 400), `${second}.partial`, name(third, 500)]);
});

test('a segment is fetched whole if it is there, and its beginning only for who asks for that', async () => {
  await using site = await TestWalSite.start(pool, { fetcher: { segmentsAhead: { start: 2, max: 2 } } });
  await site.archiveNew([first]);
  const beginning = await site.storeBeginning(second, 5000);
  assert.deepEqual(await fetched(site, first), makeWalSegment(first));
  await assert.rejects(site.fetcher.fetch(second), { code: 'wal-missing' });
  assert.deepEqual(await fetched(site, second), beginning);
  assert.deepEqual(await fetched(site, second), beginning, 'not fetched ahead, nor kept');
  await assert.rejects(site.fetcher.fetch(third, undefined, unfinished), { code: 'wal-missing' });
  await site.archiveNew([second]);
  assert.deepEqual(await fetched(site, second), makeWalSegment(second));
});

test('of a timeline that ended what was left of it counts, until somebody receives more of it', async () => {
  await using site = await TestWalSite.start(pool);
  const beginning = await site.storeBeginning(first, 5000);
  const left = makeWalSegment(first, { filling: 'left' });
  await site.archiver.archive(`${first}.partial`, await site.writeBytes(`${first}.partial`, left));
  assert.deepEqual(await fetched(site, first), left);
  const longer = await site.storeBeginning(first, 6000);
  assert.notDeepEqual(longer, beginning);
  assert.deepEqual(await fetched(site, first), longer);
});

test('one that makes place for a longer one while it is looked for is no reason to give up', async () => {
  await using site = await TestWalSite.start(pool);
  await site.storeBeginning(first, 1000);
  const released = Promise.withResolvers<void>();
  site.store.inject({ operation: 'get', key: /000003E8/, how: 'wait', until: released.promise });
  const fetching = fetched(site, first);
  const longer = await site.storeBeginning(first, 2000);
  released.resolve();
  assert.deepEqual(await fetching, longer);
});
