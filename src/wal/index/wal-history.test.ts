import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import * as fc from 'fast-check';
import { makeTemporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { mebibyte } from '../../../test/support/wal-segment.ts';
import { TestWalSite } from '../../../test/support/wal-site.ts';
import { sealWalIndex } from '../../catalog/wal-index/seal-wal-index.ts';
import { ActivityCounter } from '../../catalog/wal-index/wal-activity.ts';
import type { WalIndex } from '../../catalog/wal-index/wal-index.ts';
import { formatWalRollup, parseRollupName, parseWalRollup, rollupName } from '../../catalog/wal-index/wal-rollup.ts';
import { WalRanges } from '../../catalog/wal-ranges.ts';
import { CodecPool } from '../../codec/pool.ts';
import { systemClock } from '../../lib/clock.ts';
import { silentLog } from '../../lib/log.ts';
import { formatWalName, parseWalName } from '../../postgres/wal-name.ts';
import { LocalStore } from '../../storage/local/driver.ts';
import { bucketsOf } from './activity-buckets.ts';
import { readWalActivity } from './read-wal-activity.job.ts';
import { WalHistory } from './wal-history.ts';
import { WalIndexStorer } from './wal-index-storer.ts';
import { WalIndexer } from './wal-indexer.ts';

const pool = new CodecPool(1);
after(() => pool.close());
const signal = new AbortController().signal;
const firstMinute = 29_933_333;

function nameOf(number: number): string {
  return formatWalName({ timeline: 1, number: BigInt(number) }, mebibyte);
}

/** Two commits and an abort in a minute of its own; a restore point in every hundredth segment. */
function indexOfSegment(number: number): WalIndex {
  const time = (firstMinute + number) * 60_000_000;
  const times = [time, time + 1000, time + 2000];
  return {
    name: nameOf(number),
    segmentBytes: mebibyte,
    startLsn: BigInt(number * mebibyte),
    major: '15',
    commits: 2,
    aborts: 1,
    prepared: 0,
    times: { first: time, last: time + 2000, earliest: time, latest: time + 2000 },
    every: 1,
    transactions: { offsets: [40, 80, 120], times, xids: [1, 2, 3], outcomes: ['commit', 'abort', 'commit-prepared'] },
    drops: [],
    restorePoints: number % 100 === 0 ? [{ offset: 160, time: time + 3000, name: `point ${number}` }] : [],
    checkpoints: [],
    timelineSwitches: [],
    databases: new Map(),
    continued: undefined,
    unfinished: undefined,
    end: undefined,
  };
}

test('months of WAL are read in few requests, and only once', async () => {
  await using stack = new AsyncDisposableStack();
  const { path: directory } = stack.use(await makeTemporaryDirectory());
  const site = stack.use(await TestWalSite.start(pool, { store: new LocalStore({ directory }) }));
  const { catalog } = site;
  const storage = { storage_type: 'local' as const, directory, prefix: null, statsd_info: null, notifier: null };
  const storer = new WalIndexStorer({
    site: site.name,
    catalog,
    uploads: site.uploads,
    encryptionKeyId: undefined,
    host: 'h',
    log: silentLog,
    signal,
  });
  const last = 549;
  const ranges = new WalRanges();
  const numbers = Array.from({ length: last }, (_, at) => at + 1);
  for (const number of numbers) ranges.add(parseWalName(nameOf(number), mebibyte), new Date(0));
  const store = async (number: number) => storer.store(nameOf(number), await sealWalIndex(indexOfSegment(number), undefined));
  await Promise.all(numbers.filter((number) => number !== 7).map(store));
  const archive = () => ({ ranges, segmentBytes: mebibyte });
  const listed = new Date(0);
  const indexer = new WalIndexer({
    site: site.name,
    catalog,
    storage,
    privateKeys: {},
    publicKey: undefined,
    storer,
    pool,
    archive,
    listed: () => listed,
    mayWork: () => true,
    watch: (work) => work(signal, () => {}),
    bytesPerHour: 1_000_000,
    clock: systemClock,
    log: silentLog,
    signal,
  });
  const rollups = async () => {
    const { walRollupPrefix } = catalog.keys;
    const names: string[] = [];
    for await (const { key } of catalog.store.list(walRollupPrefix)) names.push(key.slice(walRollupPrefix.length));
    return names;
  };
  const stepUntilIdle = async () => {
    while ((await indexer.step()) !== 10_000);
  };

  // Segment 7 cannot be indexed: it is gone.
  await stepUntilIdle();
  assert.deepEqual(await rollups(), [`${nameOf(511)}.510.${firstMinute + 1}-${firstMinute + 511}.5`]);
  await store(7);
  indexer.stored(nameOf(7));
  await stepUntilIdle();
  assert.deepEqual(await rollups(), [`${nameOf(511)}.511.${firstMinute + 1}-${firstMinute + 511}.5`]);

  const asked: { rollups: number; segments: number }[] = [];
  const source = { storage, prefix: site.name, privateKeys: {} };
  const history = new WalHistory({
    catalog,
    archive,
    read: (wanted, ending) => {
      asked.push({ rollups: wanted.rollups.length, segments: wanted.segments.length });
      return pool.run(readWalActivity, { source, ...wanted }, { signal: ending });
    },
    clock: systemClock,
  });
  const whole = { from: firstMinute, to: firstMinute + 600 };
  const found = await history.between(whole, 100, signal);
  assert.deepEqual(asked, [{ rollups: 1, segments: last - 511 }]);
  assert.equal(found.because, undefined);
  assert.deepEqual(found.timelines, [{ timeline: 1, commits: [198, 200, 200, 200, 200, 100], aborts: [99, 100, 100, 100, 100, 50] }]);
  assert.deepEqual(
    found.restorePoints.map(({ name }) => name),
    ['point 100', 'point 200', 'point 300', 'point 400', 'point 500'],
  );
  const [part, points] = await Promise.all([
    history.between({ from: firstMinute + 540, to: firstMinute + 560 }, 20, signal),
    history.restorePoints(signal),
  ]);
  assert.deepEqual(part.timelines, [{ timeline: 1, commits: [20], aborts: [10] }]);
  assert.deepEqual(points, found.restorePoints);
  assert.equal(asked.length, 1);

  ranges.add(parseWalName(nameOf(last + 1), mebibyte), new Date(0));
  const unread = await history.between(whole, 600, signal);
  assert.match(unread.because ?? '', /of 1 WAL segments/);
});

test('what is told together adds up to what is told of each, and comes back from the store as it was', () => {
  const transaction = fc.record({ minute: fc.integer({ min: 0, max: 300 }), isCommit: fc.boolean() });
  const segment = fc.record({ transactions: fc.array(transaction, { maxLength: 20 }), every: fc.constantFrom(1, 2, 4) });
  fc.assert(
    fc.property(fc.array(segment, { minLength: 1, maxLength: 8 }), fc.integer({ min: 1, max: 90 }), (segments, bucketMinutes) => {
      const indexes = segments.map(({ transactions, every }, number): WalIndex => {
        const outcomes = transactions.map(({ isCommit }) => (isCommit ? ('commit' as const) : ('abort' as const)));
        const commits = transactions.filter(({ isCommit }) => isCommit).length;
        const listed = transactions.map((_, at) => at).filter((at) => at % every === 0);
        return {
          ...indexOfSegment(number),
          commits,
          aborts: transactions.length - commits,
          every,
          transactions: {
            offsets: listed,
            times: listed.map((at) => (transactions[at]?.minute ?? 0) * 60_000_000),
            xids: listed,
            outcomes: listed.map((at) => outcomes[at] ?? 'abort'),
          },
        };
      });
      const together = new ActivityCounter();
      const each = indexes.map((index) => {
        together.add(index);
        const alone = new ActivityCounter();
        alone.add(index);
        return { timeline: 1, activity: alone.activity };
      });
      const rollup = { first: nameOf(0), last: nameOf(segments.length - 1), segments: together.segments, activity: together.activity };
      const stored = parseWalRollup(JSON.stringify(formatWalRollup(rollup)), 'here');
      assert.deepEqual(stored, rollup);
      assert.equal(parseRollupName(rollupName(rollup))?.segments, segments.length);
      const span = { from: 0, to: Number.MAX_SAFE_INTEGER };
      const buckets = { from: 0, to: 301 };
      assert.deepEqual(
        bucketsOf([{ timeline: 1, activity: stored.activity }], buckets, bucketMinutes).timelines,
        bucketsOf(each, buckets, bucketMinutes).timelines,
      );
      const total = bucketsOf(each, span, Number.POSITIVE_INFINITY).timelines[0];
      const count = segments.reduce((sum, { transactions }) => sum + transactions.length, 0);
      assert.equal((total?.commits[0] ?? 0) + (total?.aborts[0] ?? 0), count);
    }),
    { numRuns: 100 },
  );
});
