import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FaultyStore } from '../../../test/support/store.ts';
import { waitFor } from '../../../test/support/wait-for.ts';
import { Catalog } from '../../catalog/catalog.ts';
import { SiteKeys } from '../../catalog/keys.ts';
import type { WalArchiveView } from '../../catalog/wal-archive-view.ts';
import { walMetadata } from '../../catalog/wal-entry.ts';
import { parseLsn } from '../../postgres/lsn.ts';
import { TimelineLine } from '../../postgres/timeline-line.ts';
import { formatWalName } from '../../postgres/wal-name.ts';
import { MemoryStore } from '../../storage/memory/driver.ts';
import { sourceOfBytes } from '../../storage/object-source.ts';
import { ArchiveMap, type ArchiveMapDeps } from './archive-map.ts';

const mebibyte = 1024 * 1024;
const now = new Date('2026-11-23T12:00:00Z');
const segment = (number: number, timeline = 1, bytes = mebibyte) => formatWalName({ timeline, number: BigInt(number) }, bytes);
const history = [{ timeline: 1, switchLsn: parseLsn('0/400000'), reason: '' }];

function catalogOf(store: MemoryStore | FaultyStore = new MemoryStore(), site = 'main'): Catalog {
  return new Catalog(store, new SiteKeys(site));
}

async function put(catalog: Catalog, names: readonly string[], plainBytes = mebibyte): Promise<void> {
  const metadata = walMetadata({ compression: { algorithm: 'snappy', level: 0 }, plainBytes, storedBytes: 1, host: 'here' });
  for (const name of names) await catalog.store.put(catalog.walKey(name), sourceOfBytes(Buffer.from('x')), { metadata });
}

function mapOf(catalogs: readonly [Catalog, ...Catalog[]], deps: Partial<ArchiveMapDeps> = {}): ArchiveMap {
  const signal = new AbortController().signal;
  return new ArchiveMap({
    relatives: async () => catalogs,
    segmentBytes: () => mebibyte,
    readHistory: async () => undefined,
    signal,
    ...deps,
  });
}

/** `1:2-4`: timeline, first and last. */
function rangesIn(map: ArchiveMap): string[] {
  const { ranges } = viewOf(map);
  return ranges.timelines.flatMap((timeline) => ranges.of(timeline).map(({ first, last }) => `${timeline}:${first}-${last}`));
}

function viewOf({ view }: ArchiveMap): WalArchiveView {
  if (typeof view === 'string') assert.fail(view);
  return view;
}

function obstacleOf({ view }: ArchiveMap): string {
  return typeof view === 'string' ? view : assert.fail('it is known what is stored');
}

test('WAL of a site that proves to be of another cluster is on the map until the next survey, which is due at once', async () => {
  const [own, former] = [catalogOf(), catalogOf(new MemoryStore(), 'former')];
  await put(former, [segment(2, 2)]);
  await put(own, [segment(4)]);
  let relatives: readonly [Catalog, ...Catalog[]] = [own, former];
  const map = mapOf([own], { relatives: async () => relatives });
  assert.equal(await map.isOfOthers(), false, 'nothing was surveyed yet');
  await map.survey();
  assert.deepEqual([rangesIn(map), await map.isOfOthers()], [['1:4-4', '2:2-2'], false]);
  relatives = [own];
  assert.equal(await map.isOfOthers(), true);
  await map.survey();
  assert.deepEqual([rangesIn(map), await map.isOfOthers()], [['1:4-4'], false]);
});

test('what is stored is known after a survey, here and at the sites that this one was moved from', async () => {
  const store = new MemoryStore();
  const [own, former] = [catalogOf(store), catalogOf(store, 'former')];
  await put(former, [segment(2), segment(3)]);
  await put(own, [segment(4), segment(6), segment(6, 2), '00000002.history']);
  await own.store.put('main/xlog/README', sourceOfBytes(Buffer.from('x')), { metadata: {} });
  const map = mapOf([own, former]);
  assert.match(obstacleOf(map), /not been listed yet/);
  await map.survey();
  assert.deepEqual(rangesIn(map), ['1:2-4', '1:6-6', '2:6-6']);
  assert.deepEqual([...viewOf(map).histories.keys()], [2]);
});

test('our own uploads are followed, also while everything is being listed', async () => {
  const store = new FaultyStore(new MemoryStore());
  const catalog = catalogOf(store);
  await put(catalog, [segment(1)]);
  const map = mapOf([catalog]);
  await map.survey();
  map.stored(segment(3), now);
  map.stored('00000002.history', now);
  map.stored(`${segment(4)}.partial`, now);
  assert.deepEqual(rangesIn(map), ['1:1-1', '1:3-3']);
  const { promise: goOn, resolve } = Promise.withResolvers<void>();
  const listings = store.count('list');
  store.inject({ operation: 'list', call: 1, how: 'wait', until: goOn });
  const survey = map.survey();
  await waitFor(() => store.count('list') > listings, { withinMs: 30_000, what: 'it is being listed' });
  map.stored(segment(2), now);
  resolve();
  await survey;
  assert.deepEqual(rangesIn(map), ['1:1-2'], 'what is listed, and what was stored meanwhile');
});

test('a survey that fails leaves what was known', async () => {
  const store = new FaultyStore(new MemoryStore());
  const catalog = catalogOf(store);
  await put(catalog, [segment(1)]);
  const map = mapOf([catalog]);
  await map.survey();
  store.inject({ operation: 'list', how: 'cut', after: 0 });
  await assert.rejects(map.survey());
  assert.deepEqual(rangesIn(map), ['1:1-1']);
});

test('a store without anything of the site, such as a disk that is not mounted, has no holes', async () => {
  const map = mapOf([catalogOf()]);
  await map.survey();
  assert.equal(map.view, 'the store has nothing of the site');
});

const sizes: readonly [what: string, known: number | undefined, stored: number, view: RegExp | number][] = [
  ['known and right', mebibyte, mebibyte, mebibyte],
  ['not known, so taken from what is stored', undefined, 16 * mebibyte, 16 * mebibyte],
  ['other than what is stored', 16 * mebibyte, mebibyte, /segments of 16777216 bytes are expected, but \S+ has 1048576/],
  ['not known and not told', undefined, 5, /size of WAL segments is not known/],
];
for (const [what, known, stored, expected] of sizes) {
  test(`the segment size is ${what}`, async () => {
    const catalog = catalogOf();
    await put(catalog, [segment(1), segment(2)], stored);
    const map = mapOf([catalog], { segmentBytes: () => known });
    await map.survey();
    if (typeof expected === 'number') assert.equal(viewOf(map).segmentBytes, expected);
    else assert.match(obstacleOf(map), expected);
  });
}

test('the place of a hole is listed again, and nothing else, over the end of a timeline too', async () => {
  const catalog = catalogOf();
  await put(catalog, [segment(1), segment(9, 2)]);
  const map = mapOf([catalog]);
  await map.survey();
  await put(catalog, [segment(2), segment(3), segment(4), segment(4, 2), segment(5, 2), segment(6, 2)]);
  const line = new TimelineLine({ timeline: 2, position: parseLsn('0/A00000'), history, segmentBytes: mebibyte });
  await map.lookAgain({ line, first: 3n, last: 5n });
  assert.deepEqual(rangesIn(map), ['1:1-1', '1:3-3', '2:4-5', '2:9-9']);
});

test('WAL that was finished is known to be, as far as the furthest place that was told', async () => {
  const catalog = catalogOf();
  await put(catalog, [segment(1)]);
  const map = mapOf([catalog]);
  await map.survey();
  for (const number of [5, 7, 3]) map.reached(segment(number), now);
  assert.deepEqual([...viewOf(map).reached], [[1, { end: 7n, since: now }]]);
});

test('of histories as few are read as possible, each once, and again where that failed', async () => {
  const catalog = catalogOf();
  await put(catalog, [segment(1), '00000002.history', '00000003.history', '00000004.history']);
  const asked: number[] = [];
  const longest = [...history, { timeline: 3, switchLsn: parseLsn('0/600000'), reason: '' }];
  const map = mapOf([catalog], {
    readHistory: async (timeline) => {
      asked.push(timeline);
      return timeline === 4 ? longest : undefined;
    },
  });
  await map.survey();
  assert.equal(map.hasNewHistory, true);
  await map.readHistories();
  assert.equal(map.hasNewHistory, false);
  assert.deepEqual(asked, [4, 2], 'timeline 3 is an ancestor of 4');
  const known = () => [...viewOf(map).histories].map(([timeline, { switches }]) => `${timeline}: ${switches?.length ?? 'unread'}`);
  assert.deepEqual(known(), ['2: unread', '3: 1', '4: 2']);
  await map.survey();
  await map.readHistories();
  assert.deepEqual(asked, [4, 2, 2]);
  assert.deepEqual(known(), ['2: unread', '3: 1', '4: 2']);
});

test('what another daemon has stored behind all that is known is found without listing the rest', async () => {
  const catalog = catalogOf();
  await put(catalog, [segment(1), segment(2)]);
  const map = mapOf([catalog]);
  await map.survey();
  const before = map.version;
  assert.equal(map.isBehind({ timeline: 1, lsn: parseLsn('0/3FFFFF') }), false, 'the segment that is being written is not missing');
  assert.equal(map.isBehind({ timeline: 1, lsn: parseLsn('0/400000') }), true);
  await map.lookAhead(1);
  assert.equal(map.version, before, 'nothing is there that was not known');
  await put(catalog, [segment(3), segment(4), segment(5, 2), '00000002.history']);
  await map.lookAhead(1);
  assert.deepEqual(rangesIn(map), ['1:1-4', '2:5-5']);
  assert.equal(map.isBehind({ timeline: 1, lsn: parseLsn('0/5FFFFF') }), false);
  await map.lookAhead(2);
  assert.deepEqual([...viewOf(map).histories.keys()], [2], 'the way to a timeline that was not known before');
});

test('what vanishes goes from the map part by part, and comes back; what is stored meanwhile stays', async () => {
  const catalog = catalogOf();
  const names = [1, 2, 3, 4, 5, 6].map((number) => segment(number));
  await put(catalog, [...names, segment(6, 2), segment(7, 2), '00000002.history']);
  const map = mapOf([catalog]);
  await map.survey();
  const [one, two] = [segment(2), segment(7, 2)].map((name) => catalog.walKey(name));
  for (const key of [one, two, catalog.walKey('00000002.history')]) await catalog.store.delete(key as string);
  const before = map.version;
  const next = await map.listPart(undefined, 3);
  assert.deepEqual(next, { timeline: 1, number: 5n });
  assert.deepEqual(rangesIn(map), ['1:1-1', '1:3-6', '2:6-7']);
  assert.deepEqual([...viewOf(map).histories.keys()], []);
  assert.ok(map.version > before);
  const listing = map.listPart(next, 10);
  map.stored(segment(8, 2), now);
  map.stored('00000003.history', now);
  assert.equal(await listing, undefined);
  assert.deepEqual(rangesIn(map), ['1:1-1', '1:3-6', '2:6-6', '2:8-8']);
  assert.deepEqual([...viewOf(map).histories.keys()], [3]);
  await put(catalog, [segment(2), segment(7, 2), segment(8, 2), '00000002.history', '00000003.history']);
  assert.equal(await map.listPart(undefined, 100), undefined);
  assert.deepEqual(rangesIn(map), ['1:1-6', '2:6-8']);
  assert.deepEqual(
    [...viewOf(map).histories.keys()].toSorted((a, b) => a - b),
    [2, 3],
  );
  await map.readHistories();
  const { version } = map;
  assert.equal(await map.listPart(undefined, 100), undefined);
  assert.equal(map.version, version, 'nothing has changed');
  assert.deepEqual(map.newestPart(2), { timeline: 2, number: 7n });
});

test('where suddenly nothing is listed everything is looked at: the store may not be what it was', async () => {
  const catalog = catalogOf();
  await put(catalog, [segment(1)]);
  const map = mapOf([catalog]);
  await map.survey();
  await catalog.store.delete(catalog.walKey(segment(1)));
  await map.listPart(undefined, 100);
  assert.match(obstacleOf(map), /nothing of the site/);
});
