import type { Lsn } from '../../postgres/lsn.ts';
import { readRecord } from '../../postgres/wal-records/read-record.ts';
import { hasRightCrc } from '../../postgres/wal-records/record-crc.ts';
import { kindOf } from '../../postgres/wal-records/record-kinds.ts';
import { recordHeaderBytes } from '../../postgres/wal-records/record-layout.ts';
import { CollectedEvents, type WalEvents } from './collected-events.ts';
import type { TransactionTimes, WalIndex } from './wal-index.ts';

/** A record that has begun in a segment, as far as the indexes up to there tell. */
interface BegunRecord {
  readonly lsn: Lsn;
  readonly totalBytes: number;
  readonly come: number;
  readonly begins: Buffer;
  /** Where the next piece of it is. */
  readonly next: Lsn;
}

/**
 * Finds what is in no single index: records that begin in one segment and end in another. It is given the indexes in the order of the WAL, that of the segment
 * before the first one included, and adds to each what ends in it; its offset is negative then.
 */
export class WalIndexJoiner {
  #begun: BegunRecord | undefined;

  add(index: WalIndex): WalIndex {
    const { startLsn, segmentBytes, continued, unfinished } = index;
    const begun = this.#begun === undefined ? undefined : goOn(this.#begun, index);
    const next = startLsn + BigInt(segmentBytes);
    const isWhole = begun?.come === begun?.totalBytes;
    if (unfinished) {
      const { offset, totalBytes, bytes: come, begins } = unfinished;
      this.#begun = { lsn: startLsn + BigInt(offset), totalBytes, come, begins, next };
    } else if (begun !== undefined && !isWhole && continued?.bytes !== continued?.totalBytes) this.#begun = { ...begun, next };
    else this.#begun = undefined;
    return begun !== undefined && isWhole ? withRecord(index, begun) : index;
  }
}

/** Undefined where the record was given up, or this is not the segment in which it goes on. */
function goOn(begun: BegunRecord, { startLsn, continued }: WalIndex): BegunRecord | undefined {
  const { totalBytes, come, begins, next } = begun;
  if (startLsn !== next || continued === undefined || continued.totalBytes !== totalBytes - come) return undefined;
  const isUnbroken = begins.length === come;
  return { ...begun, come: come + continued.bytes, begins: isUnbroken ? Buffer.concat([begins, continued.begins]) : begins };
}

function withRecord(index: WalIndex, { lsn, begins: bytes, totalBytes }: BegunRecord): WalIndex {
  if (bytes.length < recordHeaderBytes) return index;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length === totalBytes && !hasRightCrc(bytes, view, 0, totalBytes)) return index;
  const events = new CollectedEvents(1);
  const offset = -Number(index.startLsn - lsn);
  readRecord({ kind: kindOf(view, 0), offset, bytes, view, at: 0, length: bytes.length, totalBytes }, Number(index.major), events);
  return { ...index, ...inOrder(events.all, index) };
}

function inOrder(first: WalEvents, then: WalEvents): WalEvents {
  const { offsets, times, xids, outcomes } = first.transactions;
  return {
    commits: first.commits + then.commits,
    aborts: first.aborts + then.aborts,
    prepared: first.prepared + then.prepared,
    times: timesOf(first.times, then.times),
    every: then.every,
    transactions: {
      offsets: [...offsets, ...then.transactions.offsets],
      times: [...times, ...then.transactions.times],
      xids: [...xids, ...then.transactions.xids],
      outcomes: [...outcomes, ...then.transactions.outcomes],
    },
    drops: [...first.drops, ...then.drops],
    restorePoints: [...first.restorePoints, ...then.restorePoints],
    checkpoints: [...first.checkpoints, ...then.checkpoints],
    timelineSwitches: [...first.timelineSwitches, ...then.timelineSwitches],
    databases: sumOf(first.databases, then.databases),
  };
}

function timesOf(first: TransactionTimes | undefined, then: TransactionTimes | undefined): TransactionTimes | undefined {
  if (first === undefined || then === undefined) return first ?? then;
  return {
    first: first.first,
    last: then.last,
    earliest: Math.min(first.earliest, then.earliest),
    latest: Math.max(first.latest, then.latest),
  };
}

function sumOf(first: WalEvents['databases'], then: WalEvents['databases']): WalEvents['databases'] {
  const sums = new Map(then);
  for (const [oid, growth] of first) {
    const other = then.get(oid);
    const sum = (what: keyof typeof growth) => growth[what] + (other?.[what] ?? 0);
    sums.set(oid, {
      pagesMade: sum('pagesMade'),
      filesCreated: sum('filesCreated'),
      filesTruncated: sum('filesTruncated'),
      filesDropped: sum('filesDropped'),
    });
  }
  return sums;
}
