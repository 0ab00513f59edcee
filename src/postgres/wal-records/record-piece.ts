import type { PendingRecord } from './pending-record.ts';
import { type RecordKind, recordKind } from './record-kinds.ts';

/** What a segment has of a record that is not all in it. */
export interface RecordPiece {
  /** Of the record, from where the piece begins to the record's end, beyond the segment where it reaches there. */
  readonly totalBytes: number;
  /** How much of it is in the segment. */
  readonly bytes: number;
  /** Its first bytes; none where the record is of no interest. */
  readonly begins: Buffer;
}

/** Of a transaction that changed hundreds of thousands of relations or has as many subtransactions the beginning must do. */
const keptBytesMax = 1024 * 1024;
/** For 32 pages, as many as a record can be about, there are at most so many bytes in front of their data. */
const keptOfPagesMax = 1024;
/** What is kept of a record that goes on in the next segment, and of its rest there: of a long rest only what tells when it was. */
const keptForOthersMax = 1024;
const keptOfLongForOthers = 64;

/** How much of a record it takes to know what it is. */
export function wantedBytes(kind: RecordKind): number {
  if (kind === recordKind.other) return 0;
  return kind === recordKind.pages ? keptOfPagesMax : keptBytesMax;
}

/** The same of the rest of a record that began in the segment before; its kind is not known here. */
export function wantedOfRest(bytes: number): number {
  return bytes > keptForOthersMax ? keptOfLongForOthers : bytes;
}

/** The rest of a record that began in the segment before. */
export function restOf(pending: PendingRecord): RecordPiece {
  return pieceOf(pending, keptForOthersMax);
}

/** The beginning of a record that goes on in the next segment; `kind` is undefined where not even its header is all here. */
export function beginningOf(pending: PendingRecord, kind: RecordKind | undefined): RecordPiece & { readonly offset: number } {
  const isWanted = kind === undefined || isJoined(kind);
  return { ...pieceOf(pending, isWanted ? keptForOthersMax : 0), offset: pending.offset };
}

/** Kinds that are looked for also where a record is in two segments. */
function isJoined(kind: RecordKind): boolean {
  return kind !== recordKind.other && kind !== recordKind.pages;
}

function pieceOf({ totalBytes, come, bytes, kept }: PendingRecord, keptMax: number): RecordPiece {
  return { totalBytes, bytes: come, begins: Buffer.from(bytes.subarray(0, Math.min(kept, keptMax))) };
}
