import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { commitRecord, MadeUpWal, mainBody, restorePointRecord } from '../../../test/support/made-up-wal.ts';
import { recordKind } from './record-kinds.ts';
import { WalWalker } from './wal-walker.ts';
import type { WalkedSegment } from './walked-segment.ts';

interface Walked extends WalkedSegment {
  /** `kind@offset` */
  readonly records: readonly string[];
}

function walk(bytes: Buffer, pieceBytes = bytes.length): Walked {
  const records: string[] = [];
  const walker = new WalWalker(({ kind, offset, length }) => void records.push(`${kind}@${offset}/${length}`));
  for (let at = 0; at < bytes.length; at += pieceBytes) walker.update(bytes.subarray(at, at + pieceBytes));
  return { records, ...walker.finish() };
}

function first(wal: MadeUpWal): Buffer {
  return [...wal.segments().values()][0] as Buffer;
}

const time = 1_796_000_000_000_000;
const start = 5 * 1024 * 1024;

test('records of interest come with where they are; the WAL ends where nothing was written', () => {
  const wal = new MadeUpWal();
  wal.addFiller(100);
  const commit = wal.add(commitRecord({ time, xid: 700 }));
  const point = wal.add(restorePointRecord('here', time));
  const { records, end, header } = walk(first(wal));
  assert.equal(header?.major, '15');
  assert.deepEqual(records, [
    `${recordKind.transaction}@${Number(commit) - start}/34`,
    `${recordKind.restorePoint}@${Number(point) - start}/98`,
  ]);
  assert.deepEqual(end, { offset: Number(wal.lsn) - start, because: 'unwritten' });
});

test('behind a switch nothing is read', () => {
  const wal = new MadeUpWal();
  wal.add(commitRecord({ time, xid: 700 }));
  wal.switchSegment();
  const bytes = first(wal);
  bytes.fill(0x5a, 65_536);
  assert.deepEqual(walk(bytes).end?.because, 'switch');
});

test('a record that is cut by pages is whole, its header too', () => {
  for (const left of [8, 16, 24, 32]) {
    const wal = new MadeUpWal();
    while (wal.leftOnPage > left) wal.addFiller(wal.leftOnPage - left >= 64 ? 32 : wal.leftOnPage - left);
    const lsn = wal.add(commitRecord({ time, xid: 700, subtransactions: 9000 }));
    assert.deepEqual(
      walk(first(wal)).records,
      [`${recordKind.transaction}@${Number(lsn) - start}/${24 + 5 + 12 + 4 + 36_000}`],
      `${left} bytes`,
    );
  }
});

test('of a record that is in two segments each tells its part', () => {
  const wal = new MadeUpWal();
  wal.fillUntilLeft(40);
  const lsn = wal.add(commitRecord({ time, xid: 700, subtransactions: 20 }));
  wal.addFiller(64);
  const [before, after] = [...wal.segments().values()].map((bytes) => walk(bytes));
  const totalBytes = 24 + 2 + 12 + 4 + 80;
  assert.equal(before?.unfinished?.offset, Number(lsn) - start);
  assert.deepEqual([before?.unfinished?.totalBytes, before?.unfinished?.bytes], [totalBytes, 40]);
  assert.deepEqual([after?.continued?.totalBytes, after?.continued?.bytes], [totalBytes - 40, totalBytes - 40]);
  assert.deepEqual(after?.records, []);
  assert.equal(after?.end?.because, 'unwritten');
});

test('a record longer than a segment is passed over', () => {
  const wal = new MadeUpWal();
  wal.addFiller(2_500_000);
  const lsn = wal.add(commitRecord({ time, xid: 700 }));
  const [one, two, three] = [...wal.segments().values()].map((bytes) => walk(bytes));
  assert.equal(one?.unfinished?.totalBytes, 2_500_000);
  assert.equal(two?.continued?.totalBytes, 2_500_000 - (one?.unfinished?.bytes ?? 0));
  assert.equal(two?.end, undefined);
  assert.deepEqual(three?.records, [`${recordKind.transaction}@${Number(lsn) - start - 2 * 1024 * 1024}/34`]);
});

test('a record that a crash left unfinished is given up where the server says so', () => {
  const wal = new MadeUpWal();
  const kept = wal.add(commitRecord({ time, xid: 700 }));
  const lost = wal.addFiller(20_000);
  wal.giveUpLastRecord(lost);
  wal.setPrevious(kept);
  // XLOG_OVERWRITE_CONTRECORD
  wal.add({ manager: 0, info: 0xd0, body: mainBody(Buffer.alloc(16)) });
  const lsn = wal.add(commitRecord({ time, xid: 701 }));
  const { records, end } = walk(first(wal));
  assert.deepEqual(records.at(-1), `${recordKind.transaction}@${Number(lsn) - start}/34`);
  assert.equal(records.length, 2);
  assert.equal(end?.because, 'unwritten');
});

test('what was left in a file that is used again is not read', () => {
  const wal = new MadeUpWal();
  // The header of the fifth page counts as written.
  wal.fillUntilLeft(1024 * 1024 - 32_768 - 24);
  const bytes = first(wal);
  const old = new MadeUpWal({ firstSegment: 2 });
  for (let each = 0; each < 8000; each++) old.add(commitRecord({ time, xid: each }));
  first(old).copy(bytes, 32_768, 32_768);
  const { records, end } = walk(bytes);
  assert.deepEqual(records, []);
  assert.deepEqual(end, { offset: 32_768, because: 'unreadable' });
});

test('a damaged record ends it', () => {
  const wal = new MadeUpWal();
  wal.add(commitRecord({ time, xid: 700 }));
  const lsn = wal.add(commitRecord({ time, xid: 701 }));
  wal.add(commitRecord({ time, xid: 702 }));
  const bytes = first(wal);
  const at = Number(lsn) - start;
  bytes.writeUInt8(bytes.readUInt8(at + 28) ^ 1, at + 28);
  const { records, end } = walk(bytes);
  assert.equal(records.length, 1);
  assert.deepEqual(end, { offset: at, because: 'unreadable' });
});

test('a version that is not known is left alone, and so is what is no WAL', () => {
  const old = new MadeUpWal({ magic: 0xd101 });
  old.add(commitRecord({ time, xid: 700 }));
  assert.deepEqual([walk(first(old)).end, walk(first(old)).records], [{ offset: 0, because: 'version' }, []]);
  assert.equal(walk(Buffer.from('1\t0/3000000\tno recovery target\n')).header, undefined);
  assert.equal(walk(Buffer.alloc(0)).header, undefined);
});

test('the pieces in which it comes do not matter', () => {
  const wal = new MadeUpWal();
  wal.addFiller(300_000);
  for (let each = 0; each < 200; each++) wal.add(commitRecord({ time, xid: each, subtransactions: each * 7 }));
  const bytes = first(wal);
  const whole = walk(bytes);
  for (const pieceBytes of [1000, 8192, 8193, 65_536, 1 << 19]) assert.deepEqual(walk(bytes, pieceBytes), whole, `${pieceBytes} bytes`);
  assert.deepEqual(walk(bytes.subarray(0, 50_000), 7), walk(bytes.subarray(0, 50_000)));
});

test('no bytes make it fail', () => {
  const wal = new MadeUpWal();
  for (let each = 0; each < 60; each++) {
    wal.addFiller(1000);
    wal.add(commitRecord({ time, xid: each, subtransactions: each * 20, drops: [5, 6], isPrepared: each % 2 === 0 }));
  }
  const bytes = first(wal).subarray(0, 16 * 8192);
  const changes = fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { maxLength: 12 });
  const numRuns = Number(process.env['PGHOARD_TEST_FUZZ_RUNS'] ?? 300);
  const walks = fc.property(changes, fc.integer({ min: 1, max: 20_000 }), (changed, pieceBytes) => {
    const copy = Buffer.from(bytes);
    for (const [at, value] of changed) copy[at] = value;
    const { records, end } = walk(copy, pieceBytes);
    assert(records.length <= 60 || end !== undefined);
  });
  fc.assert(walks, { numRuns });
});
