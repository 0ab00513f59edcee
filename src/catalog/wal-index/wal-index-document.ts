import type { TransactionOutcome } from '../../postgres/wal-records/wal-record-sink.ts';
import type { WalEnd } from '../../postgres/wal-records/walked-segment.ts';

/** A `WalIndex` as it is stored: JSON, see docs/FORMAT.md. Columns have the difference to the row before. What there is nothing of is left out. */
export interface WalIndexDocument {
  readonly format: number;
  readonly segment: string;
  readonly segment_bytes: number;
  readonly start_lsn: string;
  readonly major: string;
  readonly commits: number;
  readonly aborts: number;
  readonly prepared: number;
  readonly times?: readonly [first: number, last: number, earliest: number, latest: number] | undefined;
  readonly transactions?:
    | {
        readonly every: number;
        /** A letter each. */
        readonly outcomes: string;
        readonly offsets: readonly number[];
        readonly times: readonly number[];
        readonly xids: readonly number[];
      }
    | undefined;
  readonly drops?: readonly { readonly offset: number; readonly time: number; readonly xid: number; readonly files: number }[] | undefined;
  readonly restore_points?: readonly { readonly offset: number; readonly time: number; readonly name: string }[] | undefined;
  readonly checkpoints?: readonly CheckpointDocument[] | undefined;
  readonly timeline_switches?: readonly TimelineSwitchDocument[] | undefined;
  readonly databases?:
    | Readonly<Record<string, readonly [pagesMade: number, filesCreated: number, filesTruncated: number, filesDropped: number]>>
    | undefined;
  readonly continued?: PieceDocument | undefined;
  readonly unfinished?: (PieceDocument & { readonly offset: number }) | undefined;
  readonly end?: { readonly offset: number; readonly because: WalEnd } | undefined;
}

export interface CheckpointDocument {
  readonly offset: number;
  readonly time: number;
  readonly redo: string;
  readonly timeline: number;
  readonly kind: 'online' | 'shutdown';
}

export interface TimelineSwitchDocument {
  readonly offset: number;
  readonly time: number;
  readonly timeline: number;
  readonly previous_timeline: number;
}

export interface PieceDocument {
  readonly total_bytes: number;
  readonly bytes: number;
  /** Base64. */
  readonly begins: string;
}

export const formatVersion = 1;

export const outcomeLetters: Readonly<Record<TransactionOutcome, string>> = {
  commit: 'c',
  abort: 'a',
  'commit-prepared': 'C',
  'abort-prepared': 'A',
};
