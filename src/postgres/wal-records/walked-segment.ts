import type { WalPageHeader } from '../wal-page.ts';
import type { RecordKind } from './record-kinds.ts';
import type { RecordBytes } from './record-parts.ts';
import type { RecordPiece } from './record-piece.ts';

/** A record of interest. Valid only while it is handed out. */
export interface WalRecord extends RecordBytes {
  readonly kind: RecordKind;
  /** Where it begins in the segment. */
  readonly offset: number;
}

/** Why the WAL of a segment ends before the segment does. */
export type WalEnd =
  /** The server began the next segment (XLOG_SWITCH). */
  | 'switch'
  /** Nothing was written behind it. */
  | 'unwritten'
  /** What follows is no record, or not of this WAL. */
  | 'unreadable'
  /** Of a version that is not known. */
  | 'version';

/** What there is to say of a segment once it has been walked. */
export interface WalkedSegment {
  /** Of the first page; undefined where not even that can be read. */
  readonly header: WalPageHeader | undefined;
  /** The end of a record that begins in a segment before. */
  readonly continued: RecordPiece | undefined;
  /** A record that goes on in the next segment. */
  readonly unfinished: (RecordPiece & { readonly offset: number }) | undefined;
  readonly end: { readonly offset: number; readonly because: WalEnd } | undefined;
}
