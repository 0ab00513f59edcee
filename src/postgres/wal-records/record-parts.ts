import { recordHeaderBytes } from './record-layout.ts';

/** A record, or its beginning, in a buffer. */
export interface RecordBytes {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Where it begins. */
  readonly at: number;
  /** How much of it is here. */
  readonly length: number;
  readonly totalBytes: number;
}

export interface RecordParts {
  /** Where the main data begins, counted from the record's beginning; it reaches to the end. */
  readonly mainAt: number;
  readonly pages: readonly PageReference[];
}

/** A page that a record is about. */
export interface PageReference {
  readonly database: number;
  /** BKPBLOCK_WILL_INIT: it is made anew, whatever it held. */
  readonly isNew: boolean;
  /** Of the relation itself, not of its maps of free space and visibility. */
  readonly isMain: boolean;
}

/** Ids in front of the parts (xlogrecord.h): main data with a short and with a long length, origin of replication, top transaction. */
const dataShort = 255;
const dataLong = 254;
const origin = 253;
const topTransaction = 252;
/** XLR_MAX_BLOCK_ID */
const blockIdMax = 32;

/** BKPBLOCK_FORK_MASK, _HAS_IMAGE, _WILL_INIT, _SAME_REL */
const forkMask = 0x0f;
const hasImage = 0x10;
const willInit = 0x40;
const sameRelation = 0x80;
/** BKPIMAGE_HAS_HOLE */
const hasHole = 0x01;
/** BKPIMAGE_IS_COMPRESSED until 14; from 15 on one bit for each of pglz, lz4 and zstd. */
const compressedUntil14 = 0x02;
const compressedFrom15 = 0x1c;

/** What stands between a record's header and its data. Undefined where that makes no sense, or is not all here. */
export function readRecordParts(record: RecordBytes, major: number): RecordParts | undefined {
  const { bytes, view, at, length, totalBytes } = record;
  const pages: PageReference[] = [];
  let dataBytes = 0;
  let next = recordHeaderBytes;
  while (totalBytes - next > dataBytes) {
    if (next + 2 > length) return undefined;
    const id = bytes[at + next] as number;
    if (id === dataShort || id === dataLong) {
      if (id === dataLong && next + 5 > length) return undefined;
      const mainBytes = id === dataShort ? (bytes[at + next + 1] as number) : view.getUint32(at + next + 1, true);
      const mainAt = totalBytes - mainBytes;
      return mainAt > next ? { mainAt, pages } : undefined;
    }
    if (id === origin) next += 3;
    else if (id === topTransaction) next += 5;
    else {
      const block = id <= blockIdMax ? readBlock(record, next, major, pages.at(-1)) : undefined;
      if (block === undefined) return undefined;
      pages.push(block);
      dataBytes += block.dataBytes;
      next = block.end;
    }
  }
  return { mainAt: totalBytes, pages };
}

interface Block extends PageReference {
  /** Of the image and the data, which stand behind all headers. */
  readonly dataBytes: number;
  readonly end: number;
}

/**
 * XLogRecordBlockHeader: id u8, flags u8, data length u16; with an image XLogRecordBlockImageHeader: length u16, hole u16, info u8, perhaps length of the
 * hole u16; unless it is of the same relation as the page before, RelFileLocator: tablespace u32, database u32, file u32; the page's number u32.
 */
function readBlock(
  { bytes, view, at, length }: RecordBytes,
  from: number,
  major: number,
  before: PageReference | undefined,
): Block | undefined {
  const has = (wanted: number) => wanted <= length;
  let next = from + 4;
  if (!has(next)) return undefined;
  const flags = bytes[at + from + 1] as number;
  let dataBytes = view.getUint16(at + from + 2, true);
  if ((flags & hasImage) !== 0) {
    if (!has(next + 5)) return undefined;
    dataBytes += view.getUint16(at + next, true);
    const info = bytes[at + next + 4] as number;
    const isCompressed = (info & (major < 15 ? compressedUntil14 : compressedFrom15)) !== 0;
    next += isCompressed && (info & hasHole) !== 0 ? 7 : 5;
  }
  let database = before?.database;
  if ((flags & sameRelation) === 0) {
    if (!has(next + 12)) return undefined;
    database = view.getUint32(at + next + 4, true);
    next += 12;
  }
  if (database === undefined || !has(next + 4)) return undefined;
  return { database, isNew: (flags & willInit) !== 0, isMain: (flags & forkMask) === 0, dataBytes, end: next + 4 };
}
