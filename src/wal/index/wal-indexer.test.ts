import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import * as fc from 'fast-check';
import { commitRecord, MadeUpWal } from '../../../test/support/made-up-wal.ts';
import { makeTemporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { mebibyte } from '../../../test/support/wal-segment.ts';
import { TestWalSite } from '../../../test/support/wal-site.ts';
import { readWalIndexes } from '../../catalog/wal-index/read-wal-indexes.ts';
import type { WalIndex } from '../../catalog/wal-index/wal-index.ts';
import { WalRanges } from '../../catalog/wal-ranges.ts';
import { createKeyPair } from '../../codec/keys.ts';
import { CodecPool } from '../../codec/pool.ts';
import { systemClock } from '../../lib/clock.ts';
import { OperatorError } from '../../lib/errors.ts';
import { silentLog } from '../../lib/log.ts';
import { formatWalName, parseWalName } from '../../postgres/wal-name.ts';
import { LocalStore } from '../../storage/local/driver.ts';
import { sourceOfBytes } from '../../storage/object-source.ts';
import { missingIndexes } from './missing-indexes.ts';
import { WalIndexStorer } from './wal-index-storer.ts';
import { WalIndexer, type WalIndexerDeps } from './wal-indexer.ts';

const pool = new CodecPool(2);
after(() => pool.close());
const keys = await createKeyPair(2048);
const time = 1_796_000_000_000_000;

function localStorage(directory: string) {
  return { storage_type: 'local' as const, directory, prefix: null, statsd_info: null, notifier: null };
}

/** Three segments with some commits in each, and one that is in two of them. */
function someWal(): MadeUpWal {
  const wal = new MadeUpWal();
  for (const xid of [700, 710, 720]) {
    wal.add(commitRecord({ time: time + xid, xid }));
    wal.fillUntilLeft(24);
    wal.add(commitRecord({ time: time + xid + 1, xid: xid + 1 }));
  }
  return wal;
}

class IndexedSite implements AsyncDisposable {
  readonly site: TestWalSite;
  readonly storer: WalIndexStorer;
  readonly directory: string;
  readonly #stack: AsyncDisposableStack;

  static async start({ isEncrypted = false, isIndexed = true } = {}): Promise<IndexedSite> {
    const stack = new AsyncDisposableStack();
    const { path: directory } = stack.use(await makeTemporaryDirectory());
    const encryption = { keyId: 'k', publicKey: keys.publicKey };
    const store = new LocalStore({ directory });
    let storer: WalIndexStorer | undefined;
    const lazy = { add: (...args: Parameters<WalIndexStorer['add']>) => storer?.add(...args), settled: async () => storer?.settled() };
    const site = stack.use(
      await TestWalSite.start(pool, {
        store,
        privateKeys: { k: keys.privateKey },
        sealing: isEncrypted ? { encryption } : {},
        archiver: { ...(isIndexed && { index: lazy as unknown as WalIndexStorer }) },
      }),
    );
    storer = new WalIndexStorer({
      site: site.name,
      catalog: site.catalog,
      uploads: site.uploads,
      encryptionKeyId: isEncrypted ? 'k' : undefined,
      host: 'test-host',
      log: silentLog,
      signal: new AbortController().signal,
    });
    return new IndexedSite(site, storer, directory, stack);
  }

  constructor(site: TestWalSite, storer: WalIndexStorer, directory: string, stack: AsyncDisposableStack) {
    this.site = site;
    this.storer = storer;
    this.directory = directory;
    this.#stack = stack;
  }

  async archive(wal: MadeUpWal): Promise<string[]> {
    for (const [name, bytes] of wal.segments()) await this.site.archiver.archive(name, await this.site.writeBytes(name, bytes));
    return [...wal.segments().keys()];
  }

  async indexed(): Promise<string[]> {
    const names: string[] = [];
    const { walIndexPrefix } = this.site.catalog.keys;
    for await (const { key } of this.site.store.list(walIndexPrefix)) names.push(key.slice(walIndexPrefix.length));
    return names;
  }

  async read(from?: string): Promise<WalIndex[]> {
    const source = {
      storage: localStorage(this.directory),
      prefix: this.site.name,
      privateKeys: { k: keys.privateKey },
    };
    const found: WalIndex[] = [];
    for await (const index of readWalIndexes(source, { timeline: 1, from, signal: new AbortController().signal })) found.push(index);
    return found;
  }

  indexer(names: readonly string[], deps: Partial<WalIndexerDeps> = {}): WalIndexer {
    const ranges = new WalRanges();
    for (const name of names) ranges.add(parseWalName(name, mebibyte), new Date(0));
    const signal = new AbortController().signal;
    const listed = new Date(0);
    return new WalIndexer({
      site: this.site.name,
      catalog: this.site.catalog,
      storage: localStorage(this.directory),
      privateKeys: { k: keys.privateKey },
      publicKey: undefined,
      storer: this.storer,
      pool,
      archive: () => ({ ranges, segmentBytes: mebibyte }),
      listed: () => listed,
      mayWork: () => true,
      watch: (work) => work(signal, () => {}),
      bytesPerHour: 1_000_000,
      clock: systemClock,
      log: silentLog,
      signal,
      ...deps,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

for (const isEncrypted of [false, true]) {
  test(`archiving leaves an index beside each segment, ${isEncrypted ? 'encrypted' : 'plain'}`, async () => {
    await using indexed = await IndexedSite.start({ isEncrypted });
    const names = await indexed.archive(someWal());
    await indexed.storer.settled();
    assert.deepEqual(await indexed.indexed(), names);
    const { metadata } = await indexed.site.store.head(indexed.site.catalog.keys.walIndex(names[0] as string));
    assert.equal(metadata['compression-algorithm'], 'zstd');
    assert.equal(metadata['encryption-key-id'], isEncrypted ? 'k' : undefined);
    const indexes = await indexed.read();
    assert.deepEqual(
      indexes.map(({ transactions }) => transactions.xids),
      [[700], [701, 710], [711, 720], [721]],
    );
    assert.deepEqual(
      (await indexed.read(names[2])).map(({ transactions }) => transactions.xids),
      [[711, 720], [721]],
      'what begins before the first one is found too',
    );
  });
}

test('a history has none, a partial segment has one, what is stored already gets none', async () => {
  await using indexed = await IndexedSite.start();
  const [[name, bytes]] = [...someWal().segments()] as [[string, Buffer]];
  const { site } = indexed;
  await site.archiver.archive('00000002.history', await site.write('00000002.history'));
  await site.archiver.archive(`${name}.partial`, await site.writeBytes(`${name}.partial`, bytes));
  await indexed.storer.settled();
  assert.deepEqual(await indexed.indexed(), [`${name}.partial`]);
  await site.store.delete(site.catalog.keys.walIndex(`${name}.partial`));
  assert.equal(await site.archiver.archive(`${name}.partial`, await site.writeBytes(`${name}.partial`, bytes)), 'already-stored');
  await indexed.storer.settled();
  assert.deepEqual(await indexed.indexed(), []);
});

test('an index that cannot be stored neither fails nor holds up the archiving, and is made up for', async () => {
  await using indexed = await IndexedSite.start();
  indexed.site.store.inject({
    operation: 'put',
    key: /xlog_index/,
    how: 'refuse',
    error: new OperatorError('store-full', 'full', { retryable: true }),
  });
  const names = await indexed.archive(someWal());
  await indexed.storer.settled();
  assert.deepEqual(await indexed.indexed(), []);
  indexed.site.store.heal();
  const indexer = indexed.indexer(names);
  const seen: string[][] = [];
  for (const _ of names) {
    await indexer.step();
    seen.push(await indexed.indexed());
  }
  assert.deepEqual(seen[0], names.slice(-1), 'the newest first');
  assert.deepEqual(seen.at(-1), names);
  assert.deepEqual(
    (await indexed.read()).map(({ transactions }) => transactions.xids),
    [[700], [701, 710], [711, 720], [721]],
  );
});

test('what waits for its turn is left to it, and a site that is busy is left alone', async () => {
  await using indexed = await IndexedSite.start({ isIndexed: false });
  const names = await indexed.archive(someWal());
  await indexed.indexer(names, { mayWork: () => false }).step();
  await indexed.indexer(names, { archive: () => 'not listed yet' }).step();
  assert.deepEqual(await indexed.indexed(), []);
  const { promise, resolve } = Promise.withResolvers<void>();
  const newest = names.at(-1) as string;
  indexed.site.store.inject({ operation: 'put', key: new RegExp(newest), how: 'wait', until: promise });
  indexed.storer.add(newest, { sealed: Buffer.from('x'), plainBytes: 1 });
  await indexed.indexer(names).step();
  assert.deepEqual(await indexed.indexed(), names.slice(-2, -1));
  resolve();
  await indexed.storer.settled();
});

test('so many bytes an hour are fetched, and no more', async () => {
  await using indexed = await IndexedSite.start({ isIndexed: false });
  const names = await indexed.archive(someWal());
  const { size } = await indexed.site.store.head(indexed.site.catalog.keys.wal(names.at(-1) as string));
  assert.equal(await indexed.indexer(names, { bytesPerHour: size }).step(), 3_600_000);
});

test('segments that cannot be read, or are gone, hold up no others', async () => {
  await using indexed = await IndexedSite.start({ isIndexed: false });
  const names = await indexed.archive(someWal());
  const { catalog, store } = indexed.site;
  await store.delete(catalog.keys.wal(names[3] as string));
  const { metadata } = await store.head(catalog.keys.wal(names[2] as string));
  await store.put(catalog.keys.wal(names[2] as string), sourceOfBytes(Buffer.from('no snappy')), { metadata });
  const indexer = indexed.indexer(names);
  for (const _ of names) await indexer.step();
  assert.deepEqual(await indexed.indexed(), names.slice(0, 2));
});

test('without the private key nothing is fetched again and again', async () => {
  await using indexed = await IndexedSite.start({ isEncrypted: true, isIndexed: false });
  const names = await indexed.archive(someWal());
  const told: string[] = [];
  const log = { ...silentLog, info: (_: unknown, text: string) => void told.push(text) };
  const indexer = indexed.indexer(names, { privateKeys: {}, log });
  for (const _ of names) await indexer.step();
  assert.equal(told.length, 1);
  assert.match(told[0] ?? '', /encrypted with the key 'k'/);
  assert.deepEqual(await indexed.indexed(), []);
});

test('missing indexes: those of stored segments that have none, the newest first', () => {
  const numbers = fc.uniqueArray(fc.nat(60), { maxLength: 40 });
  fc.assert(
    fc.property(numbers, numbers, numbers, (stored, indexed, older) => {
      const ranges = (...each: readonly (readonly [number, readonly number[]])[]) => {
        const made = new WalRanges();
        for (const [timeline, of] of each) for (const number of of) made.add({ timeline, number: BigInt(number) }, new Date(0));
        return made;
      };
      const expected = [2, 1].flatMap((timeline) => {
        const missing = timeline === 2 ? stored.filter((number) => !indexed.includes(number)) : older;
        return missing.toSorted((a, b) => b - a).map((number) => formatWalName({ timeline, number: BigInt(number) }, mebibyte));
      });
      assert.deepEqual([...missingIndexes(ranges([1, older], [2, stored]), ranges([2, indexed]), mebibyte)], expected);
    }),
  );
});
