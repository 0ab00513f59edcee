import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { indexOf } from '../../../test/support/indexed-wal.ts';
import { commitRecord, MadeUpWal, restorePointRecord } from '../../../test/support/made-up-wal.ts';
import { unsealBytes } from '../../codec/seal-bytes.ts';
import { isOperatorError } from '../../lib/errors.ts';
import { formatWalIndex } from './format-wal-index.ts';
import { WalIndexJoiner } from './join-wal-indexes.ts';
import { parseWalIndex } from './parse-wal-index.ts';
import { sealWalIndex } from './seal-wal-index.ts';
import type { WalIndex } from './wal-index.ts';

const time = 1_796_000_000_000_000;

/** Indexes of all segments, each as it comes back from a store, joined. */
function joined(wal: MadeUpWal, listedMax = Number.POSITIVE_INFINITY): readonly WalIndex[] {
  const joiner = new WalIndexJoiner();
  return [...wal.segments()].map(([name, bytes]) => {
    const index = indexOf(name, bytes, { listedMax });
    assert(index);
    const stored = parseWalIndex(JSON.stringify(formatWalIndex(index)), name);
    assert.deepEqual(stored, index);
    return joiner.add(stored);
  });
}

function commitsOf(indexes: readonly WalIndex[]): { readonly lsn: bigint; readonly time: number; readonly xid: number }[] {
  return indexes.flatMap(({ startLsn, transactions: { offsets, times, xids } }) =>
    offsets.map((offset, at) => ({ lsn: startLsn + BigInt(offset), time: times[at] as number, xid: xids[at] as number })),
  );
}

test('a commit at the end of a segment is told once the next one is there, wherever it is cut', () => {
  for (const left of [8, 16, 24, 32, 40, 48, 64]) {
    for (const subtransactions of [0, 25, 2000]) {
      const wal = new MadeUpWal();
      wal.add(commitRecord({ time, xid: 700 }));
      wal.fillUntilLeft(left);
      const lsn = wal.add(commitRecord({ time: time + 5, xid: 701, subtransactions, drops: [5, 5, 7] }));
      const after = wal.add(commitRecord({ time: time + 9, xid: 800 }));
      const indexes = joined(wal);
      const commits = commitsOf(indexes);
      assert.deepEqual(
        commits.map(({ xid }) => xid),
        [700, 701, 800],
        `${left} bytes, ${subtransactions} subtransactions`,
      );
      assert.deepEqual(commits[1], { lsn, time: time + 5, xid: 701 });
      assert.equal(commits[2]?.lsn, after);
      assert.equal(indexes[1]?.commits, 2);
      assert.deepEqual(indexes[1]?.times, { first: time + 5, last: time + 9, earliest: time + 5, latest: time + 9 });
      if (subtransactions < 100) assert.equal(indexes[1]?.drops[0]?.files, 3);
    }
  }
});

test('a commit that is cut and prepared before tells its transaction', () => {
  const wal = new MadeUpWal();
  wal.fillUntilLeft(24);
  wal.add(commitRecord({ time, xid: 701, subtransactions: 100, isPrepared: true }));
  assert.deepEqual(
    commitsOf(joined(wal)).map(({ xid }) => xid),
    [701],
  );
});

test('a record that goes through a whole segment is told at its end', () => {
  const wal = new MadeUpWal();
  wal.addFiller(700_000);
  const lsn = wal.add(commitRecord({ time, xid: 701, subtransactions: 400_000 }));
  wal.add(commitRecord({ time: time + 1, xid: 999 }));
  const indexes = joined(wal);
  assert.deepEqual(
    indexes.map(({ commits }) => commits),
    [0, 0, 2],
  );
  assert.deepEqual(commitsOf(indexes)[0], { lsn, time, xid: 701 });
});

test('what does not belong together is not joined', () => {
  const wal = new MadeUpWal();
  wal.fillUntilLeft(24);
  wal.add(commitRecord({ time, xid: 701 }));
  const [before, after] = [...wal.segments()].map(([name, bytes]) => indexOf(name, bytes)) as [WalIndex, WalIndex];
  const other = new MadeUpWal();
  other.fillUntilLeft(24);
  other.addFiller(3000);
  const [, otherAfter] = [...other.segments()].map(([name, bytes]) => indexOf(name, bytes)) as [WalIndex, WalIndex];
  const commits = (...indexes: WalIndex[]) => {
    const joiner = new WalIndexJoiner();
    return indexes.map((index) => joiner.add(index).commits);
  };
  assert.deepEqual(commits(before, after), [0, 1]);
  assert.deepEqual(commits(before, otherAfter), [0, 0]);
  assert.deepEqual(commits(after), [0]);
  assert.deepEqual(commits(before, { ...after, startLsn: after.startLsn + 0x10_0000n }), [0, 0]);
});

test('of very many commits every second, fourth, … one is listed; those that dropped something all are', () => {
  const wal = new MadeUpWal();
  for (let each = 0; each < 1000; each++) wal.add(commitRecord({ time: time + each, xid: 1000 + each, drops: each === 777 ? [5] : [] }));
  const index = indexOf('000000010000000000000005', [...wal.segments().values()][0] as Buffer, { listedMax: 100 });
  assert(index);
  assert.equal(index.commits, 1000);
  assert.equal(index.every, 16);
  assert.deepEqual(
    index.transactions.xids,
    Array.from({ length: 63 }, (_, each) => 1000 + 16 * each),
  );
  assert.deepEqual(index.times, { first: time, last: time + 999, earliest: time, latest: time + 999 });
  assert.deepEqual(
    index.drops.map(({ xid }) => xid),
    [1777],
  );
});

test('times, transactions and restore points come back from the store as they were', () => {
  const events = fc.array(
    fc.oneof(
      fc.record({
        kind: fc.constant('commit' as const),
        delta: fc.integer({ min: -5000, max: 5_000_000 }),
        xid: fc.integer({ min: 3, max: 0xffff_ffff }),
      }),
      fc.record({ kind: fc.constant('point' as const), name: fc.string({ maxLength: 20 }).filter((name) => !name.includes('\0')) }),
      fc.record({ kind: fc.constant('filler' as const), bytes: fc.integer({ min: 32, max: 40_000 }) }),
    ),
    { minLength: 1, maxLength: 60 },
  );
  fc.assert(
    fc.property(events, (all) => {
      const wal = new MadeUpWal();
      let now = time;
      const expected: string[] = [];
      for (const event of all) {
        if (event.kind === 'filler') wal.addFiller(event.bytes);
        else if (event.kind === 'point')
          expected.push(`${wal.add(restorePointRecord(event.name, now))} ${Buffer.from(event.name).toString('utf8')}`);
        else {
          now += event.delta;
          expected.push(`${wal.add(commitRecord({ time: now, xid: event.xid }))} ${event.xid} ${now}`);
        }
      }
      const indexes = joined(wal);
      const told = [
        ...commitsOf(indexes).map(({ lsn, xid, time: at }) => `${lsn} ${xid} ${at}`),
        ...indexes.flatMap(({ startLsn, restorePoints }) =>
          restorePoints.map(({ offset, name }) => `${startLsn + BigInt(offset)} ${name}`),
        ),
      ];
      assert.deepEqual(told.toSorted(), expected.toSorted());
    }),
    { numRuns: 40 },
  );
});

test('it is small, and sealed as anything else', async () => {
  const wal = new MadeUpWal();
  for (let each = 0; each < 256; each++) {
    wal.addFiller(3000);
    wal.add(commitRecord({ time: time + each * 1234, xid: 1000 + each }));
  }
  const index = indexOf('000000010000000000000005', [...wal.segments().values()][0] as Buffer);
  assert(index);
  const { sealed, plainBytes } = await sealWalIndex(index, undefined);
  assert(sealed.length < 2000, `${sealed.length} bytes`);
  const text = (await unsealBytes(sealed, { compression: 'zstd' }, plainBytes)).toString('utf8');
  assert.deepEqual(parseWalIndex(text, 'here'), index);
});

test('what is no index is refused', () => {
  for (const text of ['', '{}', '[]', '{"format": 2}', 'null']) {
    assert.throws(
      () => parseWalIndex(text, 'site/xlog_index/x'),
      (error: unknown) => isOperatorError(error, 'object-unreadable'),
    );
  }
});
