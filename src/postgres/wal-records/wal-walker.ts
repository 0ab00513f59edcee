import { parseWalPageHeader, type WalPageHeader, walHeaderBytes } from '../wal-page.ts';
import { PageAssembler, pageBytesMax } from './page-assembler.ts';
import { PendingRecord } from './pending-record.ts';
import { hasRightCrc } from './record-crc.ts';
import { kindOf, type RecordKind, recordKind } from './record-kinds.ts';
import { aligned, recordAt, recordBytesMax, recordHeaderBytes } from './record-layout.ts';
import type { RecordBytes } from './record-parts.ts';

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

export interface WalkedSegment {
  /** Of the first page; undefined where not even that can be read. */
  readonly header: WalPageHeader | undefined;
  /** The end of a record that begins in a segment before. */
  readonly continued: RecordPiece | undefined;
  /** A record that goes on in the next segment. */
  readonly unfinished: (RecordPiece & { readonly offset: number }) | undefined;
  readonly end: { readonly offset: number; readonly because: WalEnd } | undefined;
}

/** What a segment has of a record that is not all in it. */
export interface RecordPiece {
  /** Of the record, from where the piece begins to the record's end, beyond the segment where it reaches there. */
  readonly totalBytes: number;
  /** How much of it is in the segment. */
  readonly bytes: number;
  /** Its first bytes; none where the record is of no interest. */
  readonly begins: Buffer;
}

/** Majors whose records are known. */
export const majorsReadable = { oldest: 13, newest: 18 } as const;

/** XLP_FIRST_IS_CONTRECORD, _LONG_HEADER, _FIRST_IS_OVERWRITE_CONTRECORD */
const isContinuationFlag = 0x0001;
const longHeaderFlag = 0x0002;
const isOverwrittenFlag = 0x0008;
const pageHeaderBytes = 24;

/** Of a transaction that changed hundreds of thousands of relations or has as many subtransactions the beginning must do. */
const keptBytesMax = 1024 * 1024;
/** For 32 pages, as many as a record can be about, there are at most so many bytes in front of their data. */
const keptOfPagesMax = 1024;
/** What is kept of a record that goes on in the next segment, and of its rest there: of a long rest only what tells when it was. */
const keptForOthersMax = 1024;
const keptOfLongForOthers = 64;

/**
 * Walks the records of a WAL segment (xlogrecord.h, xlog_internal.h; PostgreSQL 13 to 18, little endian) that comes in pieces, and hands out those of interest
 * with as much of them as it takes to know what they are. It never throws for what it reads: at the first thing that cannot be WAL it ends. Memory: a page, and a
 * record of at most 1 MiB.
 */
export class WalWalker {
  readonly #onRecord: (record: WalRecord, header: WalPageHeader) => void;
  readonly #pages: PageAssembler;
  #header: WalPageHeader | undefined;
  #pageBytes = 0;
  #startLow = 0;
  #startHigh = 0;
  #timeline = 0;
  /** Of the page that is being walked. */
  #pageOffset = 0;
  /** Of the record before; -1 where it is not in this segment. */
  #previous = -1;
  readonly #pending = new PendingRecord();
  /** Of which {@link #pending} is; undefined while not even its header has come. */
  #pendingKind: RecordKind | undefined;
  /** It began before the segment. */
  #isPendingContinued = false;
  #continued: RecordPiece | undefined;
  #end: WalkedSegment['end'];

  constructor(onRecord: (record: WalRecord, header: WalPageHeader) => void) {
    this.#onRecord = onRecord;
    this.#pages = new PageAssembler(walHeaderBytes, this.#begin.bind(this), this.#walkPage.bind(this));
  }

  /** Keeps nothing of `bytes`. */
  update(bytes: Uint8Array): void {
    this.#pages.update(bytes);
  }

  finish(): WalkedSegment {
    const pending = this.#pending;
    const isOpen = this.#end === undefined && pending.isOpen;
    if (isOpen && this.#isPendingContinued) this.#continued = pieceOf(pending, keptForOthersMax);
    const isUnfinished = isOpen && !this.#isPendingContinued;
    const isWanted = this.#pendingKind === undefined || isJoined(this.#pendingKind);
    return {
      header: this.#header,
      continued: this.#continued,
      unfinished: isUnfinished ? { ...pieceOf(pending, isWanted ? keptForOthersMax : 0), offset: pending.offset } : undefined,
      end: this.#header === undefined ? { offset: 0, because: 'unreadable' } : this.#end,
    };
  }

  /** Reads the segment's first header, which says how long its pages are. */
  #begin(first: Buffer): number | undefined {
    const header = readHeader(first);
    if (header?.long === undefined) return undefined;
    this.#header = header;
    this.#pageBytes = header.long.pageBytes;
    this.#startLow = Number(header.pageAddress & 0xffff_ffffn);
    this.#startHigh = Number(header.pageAddress >> 32n);
    const isKnown = Number(header.major) >= majorsReadable.oldest && Number(header.major) <= majorsReadable.newest;
    if (isKnown && isPageBytes(this.#pageBytes)) return this.#pageBytes;
    this.#stop(0, isKnown ? 'unreadable' : 'version');
    return undefined;
  }

  #walkPage(bytes: Uint8Array, view: DataView, start: number): boolean {
    const end = start + this.#pageBytes;
    let at = this.#enterPage(view, start);
    if (at >= 0 && this.#pending.isOpen) at = this.#continuePending(bytes, start, at, end);
    if (at >= 0) this.#walkRecords(bytes, view, start, at, end);
    this.#pageOffset += this.#pageBytes;
    return this.#end === undefined;
  }

  /** Returns where its first record, or the rest of one, begins; -1 where the WAL does not go on here. */
  #enterPage(view: DataView, start: number): number {
    const offset = this.#pageOffset;
    const pending = this.#pending;
    const flags = view.getUint16(start + 2, true);
    const isRight =
      view.getUint16(start, true) === this.#header?.magic &&
      view.getUint32(start + 8, true) === this.#startLow + offset &&
      view.getUint32(start + 12, true) === this.#startHigh &&
      view.getUint32(start + 4, true) >= this.#timeline &&
      ((flags & longHeaderFlag) !== 0) === (offset === 0);
    if (!isRight) return this.#stopAtPage(isZero(view, start) && !pending.isOpen ? 'unwritten' : 'unreadable');
    this.#timeline = view.getUint32(start + 4, true);
    // After a crash the server went on here, and gave up the record that it had begun before.
    if ((flags & isOverwrittenFlag) !== 0) pending.close();
    const remaining = (flags & isContinuationFlag) === 0 ? 0 : view.getUint32(start + 16, true);
    if (offset === 0 && remaining > 0) {
      pending.begin(0, remaining, keptForOthers(remaining));
      this.#pendingKind = recordKind.other;
      this.#isPendingContinued = true;
    } else if (remaining !== (pending.isOpen ? pending.missing : 0)) return this.#stopAtPage('unreadable');
    return start + (offset === 0 ? walHeaderBytes : pageHeaderBytes);
  }

  /** Returns where the next record begins; -1 where the WAL does not go on. */
  #continuePending(bytes: Uint8Array, start: number, at: number, end: number): number {
    const pending = this.#pending;
    const taken = Math.min(pending.missing, end - at);
    let from = at;
    if (this.#pendingKind === undefined) {
      from += Math.min(recordHeaderBytes - pending.come, taken);
      pending.add(bytes, at, from);
      if (!this.#recogniseKind()) return -1;
    }
    pending.add(bytes, from, at + taken);
    this.#handOutPages();
    if (pending.missing > 0) return end;
    pending.close();
    if (this.#isPendingContinued) {
      this.#isPendingContinued = false;
      this.#continued = pieceOf(pending, keptForOthersMax);
    } else {
      if (!this.#handOutPending()) return -1;
      this.#previous = pending.offset;
    }
    return start + aligned(at + taken - start);
  }

  /** The header has come, on two pages. False where it is none. */
  #recogniseKind(): boolean {
    const { come, view, offset } = this.#pending;
    if (come < recordHeaderBytes) return true;
    const kind = kindOf(view, 0);
    if (!this.#isNext(view, 0, this.#previous) || kind === recordKind.unknown) return this.#stop(offset, 'unreadable') > 0;
    this.#pendingKind = kind;
    this.#pending.want(wantedBytes(kind));
    return true;
  }

  /** The records that begin on a page. This is where the time goes: there are some 100 000 in a segment of 16 MiB. */
  #walkRecords(bytes: Uint8Array, view: DataView, start: number, first: number, end: number): void {
    const pageOffset = this.#pageOffset - start;
    const [startLow, startHigh] = [this.#startLow | 0, this.#startHigh | 0];
    let previous = this.#previous;
    let at = first;
    while (at < end) {
      const totalBytes = view.getInt32(at, true);
      const offset = pageOffset + at;
      if (totalBytes < recordHeaderBytes || totalBytes > recordBytesMax) {
        this.#stop(offset, totalBytes === 0 ? 'unwritten' : 'unreadable');
        return;
      }
      const isHeaderHere = end - at >= recordHeaderBytes;
      const kind = isHeaderHere ? kindOf(view, at) : undefined;
      if (isHeaderHere) {
        const isNext =
          previous < 0 ||
          (view.getInt32(at + recordAt.previous, true) === ((startLow + previous) | 0) &&
            view.getInt32(at + recordAt.previous + 4, true) === startHigh);
        if (kind === recordKind.unknown || !isNext) {
          this.#stop(offset, 'unreadable');
          return;
        }
      }
      if (totalBytes > end - at) {
        this.#leave(offset, totalBytes, kind, bytes, at, end);
        break;
      }
      if (
        kind !== recordKind.other &&
        !this.#handOut({ kind: kind as RecordKind, offset, bytes, view, at, length: totalBytes, totalBytes })
      )
        return;
      previous = offset;
      at += aligned(totalBytes);
    }
    this.#previous = previous;
  }

  /** The record goes on on the next page. */
  #leave(offset: number, totalBytes: number, kind: RecordKind | undefined, bytes: Uint8Array, at: number, end: number): void {
    this.#pending.begin(offset, totalBytes, kind === undefined ? recordHeaderBytes : wantedBytes(kind));
    this.#pendingKind = kind;
    this.#pending.add(bytes, at, end);
    this.#handOutPages();
  }

  #isNext(view: DataView, at: number, previous: number): boolean {
    if (previous < 0) return true;
    return (
      view.getUint32(at + recordAt.previous, true) === this.#startLow + previous &&
      view.getUint32(at + recordAt.previous + 4, true) === this.#startHigh
    );
  }

  #handOutPending(): boolean {
    const kind = this.#pendingKind ?? recordKind.other;
    return kind === recordKind.other || this.#handOut(recordOf(this.#pending, kind));
  }

  /** As soon as what stands in front of the pages has come. */
  #handOutPages(): void {
    if (this.#pendingKind !== recordKind.pages || !this.#pending.hasWanted) return;
    this.#handOut(recordOf(this.#pending, recordKind.pages));
    this.#pendingKind = recordKind.other;
  }

  /** False where the WAL ends with it, or is damaged. */
  #handOut(record: WalRecord): boolean {
    const { kind, offset, bytes, view, at, length, totalBytes } = record;
    const isChecked = kind !== recordKind.pages && length === totalBytes;
    if (isChecked && !hasRightCrc(bytes, view, at, totalBytes)) return this.#stop(offset, 'unreadable') > 0;
    if (kind === recordKind.segmentSwitch) return this.#stop(offset + aligned(totalBytes), 'switch') > 0;
    this.#onRecord(record, this.#header as WalPageHeader);
    return true;
  }

  /** A record that was to go on here is not all there. */
  #stopAtPage(because: WalEnd): -1 {
    return this.#stop(this.#pending.isOpen ? this.#pending.offset : this.#pageOffset, because);
  }

  #stop(offset: number, because: WalEnd): -1 {
    this.#end = { offset, because };
    return -1;
  }
}

function readHeader(first: Buffer): WalPageHeader | undefined {
  try {
    return parseWalPageHeader(first);
  } catch {
    return undefined;
  }
}

/** XLOG_BLCKSZ can be chosen when PostgreSQL is built. */
function isPageBytes(bytes: number): boolean {
  return bytes >= 1024 && bytes <= pageBytesMax && Number.isInteger(Math.log2(bytes));
}

function wantedBytes(kind: RecordKind): number {
  if (kind === recordKind.other) return 0;
  return kind === recordKind.pages ? keptOfPagesMax : keptBytesMax;
}

function keptForOthers(bytes: number): number {
  return bytes > keptForOthersMax ? keptOfLongForOthers : bytes;
}

/** Kinds that are looked for also where a record is in two segments. */
function isJoined(kind: RecordKind): boolean {
  return kind !== recordKind.other && kind !== recordKind.pages;
}

function pieceOf({ totalBytes, come, bytes, kept }: PendingRecord, keptMax: number): RecordPiece {
  return { totalBytes, bytes: come, begins: Buffer.from(bytes.subarray(0, Math.min(kept, keptMax))) };
}

function recordOf({ bytes, view, offset, totalBytes, kept }: PendingRecord, kind: RecordKind): WalRecord {
  return { kind, offset, bytes, view, at: 0, length: kept, totalBytes };
}

/** Whether there is no page at all. */
function isZero(view: DataView, start: number): boolean {
  for (let at = start; at < start + pageHeaderBytes; at += 4) if (view.getUint32(at, true) !== 0) return false;
  return true;
}
