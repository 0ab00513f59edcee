import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { CollectedEvents } from '../../catalog/wal-index/collected-events.ts';
import type { WalIndex } from '../../catalog/wal-index/wal-index.ts';
import { findPlaces } from './find-places.ts';
import { nearCommits } from './near-commits.ts';
import { lastOf, type WalWay } from './wal-way.ts';
import type { Indexes } from './way-indexes.ts';

const segmentBytes = 1024 * 1024;
const first = 7n;

/** Times of the transactions in each segment; undefined: it has no index. */
type Made = readonly (readonly number[] | undefined)[];

function indexesOf(made: Made): Indexes {
  const way: WalWay = {
    segmentBytes,
    parts: [{ timeline: 1, begin: 0n, end: 2n ** 60n }],
    first,
    end: (first + BigInt(made.length)) * BigInt(segmentBytes),
  };
  const at = async (number: bigint) => indexOf(number, made[Number(number - first)]);
  return {
    way,
    at,
    async *between(from, to) {
      for (let number = from < first ? first : from; number <= to && number <= lastOf(way); number++)
        yield { number, index: await at(number) };
    },
  };
}

function indexOf(number: bigint, times: readonly number[] | undefined): WalIndex | undefined {
  if (times === undefined) return undefined;
  const events = new CollectedEvents(1000).all;
  return {
    ...events,
    name: '',
    segmentBytes,
    startLsn: number * BigInt(segmentBytes),
    major: '15',
    times:
      times.length === 0
        ? undefined
        : { first: times[0] ?? 0, last: times.at(-1) ?? 0, earliest: Math.min(...times), latest: Math.max(...times) },
    transactions: {
      offsets: times.map((_, at) => at * 100),
      times,
      xids: times.map((_, at) => Number(number) * 10 + at),
      outcomes: times.map(() => 'commit' as const),
    },
    continued: undefined,
    unfinished: undefined,
    end: undefined,
  };
}

function lsnOf(segment: number, at: number): bigint {
  return (first + BigInt(segment)) * BigInt(segmentBytes) + BigInt(at * 100);
}

/** Times ascend, but for a moment; sometimes nothing happens for a while. */
const life = fc
  .array(fc.array(fc.integer({ min: 0, max: 3000 }), { maxLength: 4 }), { minLength: 1, maxLength: 300 })
  .map((segments) => segments.map((times, number) => times.map((time) => 10_000 + number * 1000 + time)));

test('of many segments or few the first transaction behind a time is found', async () => {
  await fc.assert(
    fc.asyncProperty(life, fc.nat(310_000), fc.boolean(), async (made, time, isExclusive) => {
      const { places, isExhaustive } = await findPlaces(indexesOf(made), { kind: 'time', time, isExclusive });
      const all = made.flatMap((times, segment) => times.map((each, at) => ({ each, lsn: lsnOf(segment, at) })));
      const expected = all.find(({ each }) => (isExclusive ? each >= time : each > time));
      assert.deepEqual([places[0]?.lsn, isExhaustive], [expected?.lsn, true]);
    }),
    { numRuns: 200 },
  );
});

test('the commits around a position are found, however far away, and whether there are others is told', async () => {
  await fc.assert(
    fc.asyncProperty(life, fc.nat(299), fc.nat(5), fc.boolean(), async (made, segment, at, isIncluded) => {
      const lsn = lsnOf(segment % made.length, at);
      const { before, after, isExact } = await nearCommits(indexesOf(made), lsn, isIncluded);
      const all = made.flatMap((times, number) => times.map((_, each) => lsnOf(number, each)));
      const isBefore = (each: bigint) => each < lsn || (isIncluded && each === lsn);
      assert.deepEqual([before?.lsn, after?.lsn, isExact], [all.findLast(isBefore), all.find((each) => !isBefore(each)), true]);
    }),
    { numRuns: 200 },
  );
});

test('a transaction is found wherever it is, and not looked for again where it was not', async () => {
  const indexes = indexesOf([[1, 2], [], [3], [4, 5]]);
  const found = await findPlaces(indexes, { kind: 'xid', xid: 91 });
  assert.deepEqual([found.places, found.isExhaustive], [[], true]);
  const there = await findPlaces(indexes, { kind: 'xid', xid: 90 });
  assert.deepEqual(there.places, [{ lsn: lsnOf(2, 0), segment: 9n }]);
  assert.deepEqual((await findPlaces(indexes, { kind: 'xid', xid: 90 }, 8n)).places, []);
});

test('without an index of a segment nothing is certain', async () => {
  const indexes = indexesOf([[1], undefined, [3]]);
  assert.equal((await findPlaces(indexes, { kind: 'xid', xid: 90 })).isExhaustive, false);
  assert.equal((await findPlaces(indexes, { kind: 'time', time: 2, isExclusive: false })).isExhaustive, false);
  const near = await nearCommits(indexes, lsnOf(1, 5), false);
  assert.deepEqual([near.before?.lsn, near.after?.lsn, near.isExact], [lsnOf(0, 0), lsnOf(2, 0), false]);
});
