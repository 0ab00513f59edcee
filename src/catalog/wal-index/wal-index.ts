import type { Lsn } from '../../postgres/lsn.ts';
import type { TransactionOutcome } from '../../postgres/wal-records/wal-record-sink.ts';
import type { WalEnd } from '../../postgres/wal-records/walked-segment.ts';

/**
 * What happened when in a segment, in the order of the WAL. Times are microseconds since 1970 by the server's clock, which need not ascend: a transaction notes
 * its time a moment before it gets its place. What begins in this segment and ends in the next one is in neither: {@link WalIndexJoiner} finds it from both.
 */
export interface WalIndex {
  /** The segment, or the last, partial segment of a timeline. */
  readonly name: string;
  readonly segmentBytes: number;
  readonly startLsn: Lsn;
  /** PostgreSQL's, such as `15`. */
  readonly major: string;
  /** Those that ended, also such as are not listed. */
  readonly commits: number;
  /** Of transactions and of subtransactions. */
  readonly aborts: number;
  /** Prepared for a two-phase commit. */
  readonly prepared: number;
  /** Of all commits and aborts; undefined where there are none. */
  readonly times: TransactionTimes | undefined;
  /** One in so many commits and aborts is listed, from the first on. */
  readonly every: number;
  readonly transactions: TransactionColumns;
  /** Commits that removed files of relations (DROP, TRUNCATE, and whatever writes a relation anew); the last ones where there are very many. */
  readonly drops: readonly IndexedDrop[];
  readonly restorePoints: readonly IndexedRestorePoint[];
  readonly checkpoints: readonly IndexedCheckpoint[];
  /** Ends of recoveries. */
  readonly timelineSwitches: readonly IndexedTimelineSwitch[];
  /** By OID; 0 has what all databases share. */
  readonly databases: ReadonlyMap<number, DatabaseGrowth>;
  /** The rest of a record that begins before the segment. */
  readonly continued: IndexedPiece | undefined;
  /** The beginning of a record that ends behind the segment. */
  readonly unfinished: (IndexedPiece & { readonly offset: number }) | undefined;
  /** From where on the segment holds no WAL, or none that can be read. */
  readonly end: { readonly offset: number; readonly because: WalEnd } | undefined;
}

export interface TransactionTimes {
  readonly first: number;
  readonly last: number;
  readonly earliest: number;
  readonly latest: number;
}

/** The same index is the same transaction. */
export interface TransactionColumns {
  /** From the beginning of the segment. */
  readonly offsets: readonly number[];
  readonly times: readonly number[];
  /** 0 where it is not known. */
  readonly xids: readonly number[];
  readonly outcomes: readonly TransactionOutcome[];
}

export interface IndexedTransaction {
  readonly lsn: Lsn;
  readonly time: number;
  readonly xid: number;
  readonly outcome: TransactionOutcome;
}

export interface IndexedDrop {
  readonly offset: number;
  readonly time: number;
  readonly xid: number;
  readonly files: number;
}

export interface IndexedRestorePoint {
  readonly offset: number;
  readonly time: number;
  readonly name: string;
}

export interface IndexedCheckpoint {
  readonly offset: number;
  /** To a second. */
  readonly time: number;
  readonly redo: Lsn;
  readonly timeline: number;
  readonly isShutdown: boolean;
}

export interface IndexedTimelineSwitch {
  readonly offset: number;
  readonly time: number;
  readonly timeline: number;
  readonly previousTimeline: number;
}

/** What a database gained and lost. How large it is does not stand in the WAL. */
export interface DatabaseGrowth {
  /** Pages of relations that were made, or made anew after they had become empty: it grew by no more than these. */
  readonly pagesMade: number;
  readonly filesCreated: number;
  readonly filesTruncated: number;
  readonly filesDropped: number;
}

/** See `RecordPiece`. */
export interface IndexedPiece {
  readonly totalBytes: number;
  readonly bytes: number;
  readonly begins: Buffer;
}

/** How many commits and aborts of a segment are listed at most: so many that their list stays small beside the segment. */
export function transactionsMax(segmentBytes: number): number {
  return Math.min(segmentBytes / 4096, 16_384);
}
