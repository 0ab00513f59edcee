import { parseWalPageHeader, type WalPageHeader, walHeaderBytes } from '../wal-page.ts';
import { pageBytesMax } from './page-assembler.ts';

/** Majors whose records are known. */
const majorsReadable = { oldest: 13, newest: 18 } as const;

/** XLP_FIRST_IS_CONTRECORD, _LONG_HEADER, _FIRST_IS_OVERWRITE_CONTRECORD */
const isContinuationFlag = 0x0001;
const longHeaderFlag = 0x0002;
const isOverwrittenFlag = 0x0008;
const pageHeaderBytes = 24;

/** The pages of a segment, one after the other, by their headers (XLogPageHeaderData in xlog_internal.h): whether each goes on with this WAL. */
export class PageSequence {
  /** Of the first page. */
  header: WalPageHeader | undefined;
  pageBytes = 0;
  /** Of the page that is being looked at, in the segment. */
  offset = 0;
  /** Where the segment begins in the WAL, the lower and the upper half. */
  startLow = 0;
  startHigh = 0;
  #timeline = 0;

  /** Reads the segment's first header, which says how long its pages are. Returns why they cannot be walked. */
  begin(first: Buffer): 'unreadable' | 'version' | undefined {
    const header = readHeader(first);
    if (header?.long === undefined) return 'unreadable';
    this.header = header;
    this.pageBytes = header.long.pageBytes;
    this.startLow = Number(header.pageAddress & 0xffff_ffffn);
    this.startHigh = Number(header.pageAddress >> 32n);
    const isKnown = Number(header.major) >= majorsReadable.oldest && Number(header.major) <= majorsReadable.newest;
    if (!isKnown) return 'version';
    return isPageBytes(this.pageBytes) ? undefined : 'unreadable';
  }

  /** Whether the page at `start` is the next one of this WAL. Timelines only go up. */
  accepts(view: DataView, start: number): boolean {
    const isNext =
      view.getUint16(start, true) === this.header?.magic &&
      view.getUint32(start + 8, true) === this.startLow + this.offset &&
      view.getUint32(start + 12, true) === this.startHigh &&
      view.getUint32(start + 4, true) >= this.#timeline &&
      ((flagsAt(view, start) & longHeaderFlag) !== 0) === (this.offset === 0);
    if (isNext) this.#timeline = view.getUint32(start + 4, true);
    return isNext;
  }

  /** Where on the page that begins at `start` its records do. */
  recordsAt(start: number): number {
    return start + (this.offset === 0 ? walHeaderBytes : pageHeaderBytes);
  }

  /** The next page comes. */
  advance(): void {
    this.offset += this.pageBytes;
  }
}

/** How much is left of the record that goes on on the page at `start`. */
export function remainingAt(view: DataView, start: number): number {
  return (flagsAt(view, start) & isContinuationFlag) === 0 ? 0 : view.getUint32(start + 16, true);
}

/** Whether the server went on here after a crash, and gave up the record that it had begun before. */
export function isOverwrittenAt(view: DataView, start: number): boolean {
  return (flagsAt(view, start) & isOverwrittenFlag) !== 0;
}

/** Whether there is no page at all at `start`. */
export function isUnwrittenAt(view: DataView, start: number): boolean {
  for (let at = start; at < start + pageHeaderBytes; at += 4) if (view.getUint32(at, true) !== 0) return false;
  return true;
}

function flagsAt(view: DataView, start: number): number {
  return view.getUint16(start + 2, true);
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
