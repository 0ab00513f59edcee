import { type WalPageHeader, walHeaderBytes } from '../wal-page.ts';
import { PageAssembler } from './page-assembler.ts';
import { isOverwrittenAt, isUnwrittenAt, PageSequence, remainingAt } from './page-sequence.ts';
import { PendingRecord } from './pending-record.ts';
import { hasRightCrc } from './record-crc.ts';
import { kindOf, type RecordKind, recordKind } from './record-kinds.ts';
import { aligned, recordAt, recordBytesMax, recordHeaderBytes } from './record-layout.ts';
import { beginningOf, type RecordPiece, restOf, wantedBytes, wantedOfRest } from './record-piece.ts';
import type { WalEnd, WalkedSegment, WalRecord } from './walked-segment.ts';

/**
 * Walks the records of a WAL segment (xlogrecord.h, xlog_internal.h; PostgreSQL 13 to 18, little endian) that comes in pieces, and hands out those of interest
 * with as much of them as it takes to know what they are. It never throws for what it reads: at the first thing that cannot be WAL it ends. Memory: a page, and a
 * record of at most 1 MiB.
 */
export class WalWalker {
  readonly #onRecord: (record: WalRecord, header: WalPageHeader) => void;
  readonly #assembler: PageAssembler;
  readonly #pages = new PageSequence();
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
    this.#assembler = new PageAssembler(walHeaderBytes, this.#begin.bind(this), this.#walkPage.bind(this));
  }

  /** Keeps nothing of `bytes`. */
  update(bytes: Uint8Array): void {
    this.#assembler.update(bytes);
  }

  finish(): WalkedSegment {
    const pending = this.#pending;
    const isOpen = this.#end === undefined && pending.isOpen;
    if (isOpen && this.#isPendingContinued) this.#continued = restOf(pending);
    const isUnfinished = isOpen && !this.#isPendingContinued;
    const { header } = this.#pages;
    return {
      header,
      continued: this.#continued,
      unfinished: isUnfinished ? beginningOf(pending, this.#pendingKind) : undefined,
      end: header === undefined ? { offset: 0, because: 'unreadable' } : this.#end,
    };
  }

  /** Returns how long pages are; undefined where they cannot be walked. */
  #begin(first: Buffer): number | undefined {
    const because = this.#pages.begin(first);
    if (because === undefined) return this.#pages.pageBytes;
    this.#stop(0, because);
    return undefined;
  }

  #walkPage(bytes: Uint8Array, view: DataView, start: number): boolean {
    const end = start + this.#pages.pageBytes;
    let at = this.#enterPage(view, start);
    if (at >= 0 && this.#pending.isOpen) at = this.#continuePending(bytes, start, at, end);
    if (at >= 0) this.#walkRecords(bytes, view, start, at, end);
    this.#pages.advance();
    return this.#end === undefined;
  }

  /** Returns where its first record, or the rest of one, begins; -1 where the WAL does not go on here. */
  #enterPage(view: DataView, start: number): number {
    const pages = this.#pages;
    const pending = this.#pending;
    if (!pages.accepts(view, start)) return this.#stopAtPage(isUnwrittenAt(view, start) && !pending.isOpen ? 'unwritten' : 'unreadable');
    if (isOverwrittenAt(view, start)) pending.close();
    const remaining = remainingAt(view, start);
    if (pages.offset === 0 && remaining > 0) {
      pending.begin(0, remaining, wantedOfRest(remaining));
      this.#pendingKind = recordKind.other;
      this.#isPendingContinued = true;
    } else if (remaining !== (pending.isOpen ? pending.missing : 0)) return this.#stopAtPage('unreadable');
    return pages.recordsAt(start);
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
      this.#continued = restOf(pending);
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
    const pageOffset = this.#pages.offset - start;
    const [startLow, startHigh] = [this.#pages.startLow | 0, this.#pages.startHigh | 0];
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
      view.getUint32(at + recordAt.previous, true) === this.#pages.startLow + previous &&
      view.getUint32(at + recordAt.previous + 4, true) === this.#pages.startHigh
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
    this.#onRecord(record, this.#pages.header as WalPageHeader);
    return true;
  }

  /** A record that was to go on here is not all there. */
  #stopAtPage(because: WalEnd): -1 {
    return this.#stop(this.#pending.isOpen ? this.#pending.offset : this.#pages.offset, because);
  }

  #stop(offset: number, because: WalEnd): -1 {
    this.#end = { offset, because };
    return -1;
  }
}

function recordOf({ bytes, view, offset, totalBytes, kept }: PendingRecord, kind: RecordKind): WalRecord {
  return { kind, offset, bytes, view, at: 0, length: kept, totalBytes };
}
