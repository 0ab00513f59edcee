import type { Lsn } from '../lsn.ts';
import type { RecordKind } from './record-kinds.ts';
import type { RecordBytes } from './record-parts.ts';

/** `commit-prepared`, `abort-prepared`: of a transaction that had been prepared before (two-phase commit). */
export type TransactionOutcome = 'commit' | 'abort' | 'commit-prepared' | 'abort-prepared';

/** What records tell. Times are microseconds since 1970, offsets are those of the records. */
export interface WalRecordSink {
  /** `xid` is 0 where only the end of a very long record would tell. The abort may be that of a subtransaction. */
  transaction(outcome: TransactionOutcome, offset: number, time: number, xid: number): void;
  /** Files of relations that the transaction removes, by database. Follows on {@link transaction}. */
  filesDropped(byDatabase: ReadonlyMap<number, number>): void;
  transactionPrepared(): void;
  checkpoint(checkpoint: CheckpointRecord): void;
  timelineSwitch(change: TimelineSwitchRecord): void;
  restorePoint(point: RestorePointRecord): void;
  fileCreated(database: number): void;
  fileTruncated(database: number): void;
  pagesMade(database: number, pages: number): void;
}

export interface CheckpointRecord {
  readonly offset: number;
  readonly isShutdown: boolean;
  readonly redo: Lsn;
  readonly timeline: number;
  readonly time: number;
}

/** The end of a recovery: its own record (XLOG_END_OF_RECOVERY), or the checkpoint that stands for it; the latter knows the time to a second. */
export interface TimelineSwitchRecord {
  readonly offset: number;
  readonly time: number;
  /** That begins, and that it was made from. */
  readonly timeline: number;
  readonly previousTimeline: number;
}

export interface RestorePointRecord {
  readonly offset: number;
  readonly time: number;
  readonly name: string;
}

export type ReadableRecord = RecordBytes & { readonly kind: RecordKind; readonly offset: number };
