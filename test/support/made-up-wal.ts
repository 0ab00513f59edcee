import { crc32c } from '@node-rs/crc32';
import type { Lsn } from '../../src/postgres/lsn.ts';
import { formatWalName } from '../../src/postgres/wal-name.ts';
import { mebibyte, testSystemIdentifier } from './wal-segment.ts';

const pageBytes = 8192;
const segmentBytes = mebibyte;

export interface MadeUpRecord {
  readonly manager: number;
  readonly info: number;
  readonly xid?: number;
  /** What follows the header: parts, then data. */
  readonly body: Buffer;
}

/** WAL as PostgreSQL writes it, in segments of 1 MiB from the fifth on: records one after the other, cut at pages and segments. */
export class MadeUpWal {
  readonly #timeline: number;
  readonly #magic: number;
  readonly #start: number;
  #bytes = Buffer.alloc(0);
  #previous = 0;
  #at = 0;

  constructor({ timeline = 1, magic = 0xd110, firstSegment = 5 } = {}) {
    this.#timeline = timeline;
    this.#magic = magic;
    this.#start = firstSegment * segmentBytes;
  }

  /** Where the next record begins. */
  get lsn(): Lsn {
    return BigInt(this.#start + this.#at + (this.#at % pageBytes === 0 ? headerBytes(this.#at) : 0));
  }

  /** Bytes that are left on the page. */
  get leftOnPage(): number {
    return pageBytes - (Number(this.lsn) % pageBytes);
  }

  get leftInSegment(): number {
    return segmentBytes - (Number(this.lsn) % segmentBytes);
  }

  add({ manager, info, xid = 0, body }: MadeUpRecord): Lsn {
    const record = Buffer.alloc(24 + body.length);
    record.writeUInt32LE(record.length, 0);
    record.writeUInt32LE(xid, 4);
    record.writeBigUInt64LE(BigInt(this.#previous), 8);
    record.writeUInt8(info, 16);
    record.writeUInt8(manager, 17);
    body.copy(record, 24);
    record.writeUInt32LE(crc32c(record.subarray(0, 20), crc32c(record.subarray(24))), 20);
    this.#page(0, 0);
    const lsn = BigInt(this.#start + this.#at);
    for (let written = 0; written < record.length; ) {
      if (written > 0) this.#page(0x0001, record.length - written);
      const piece = record.subarray(written, written + pageBytes - (this.#at % pageBytes));
      this.#write(piece);
      written += piece.length;
    }
    this.#at = (this.#at + 7) & ~7;
    this.#previous = Number(lsn);
    return lsn;
  }

  /** A record of no interest that takes so many bytes without page headers. */
  addFiller(bytes: number): Lsn {
    const body = Buffer.alloc(bytes - 24, 'filler');
    main(body);
    return this.add({ manager: 8, info: 0x10, body });
  }

  /** Fills the segment with whole records until exactly so many bytes of it, a multiple of eight, are left. */
  fillUntilLeft(bytes: number): void {
    while (this.leftInSegment > bytes + 2048) this.addFiller(1024);
    while (this.leftInSegment > bytes) {
      const left = Math.min(this.leftOnPage, this.leftInSegment - bytes);
      this.addFiller(left < 64 ? Math.max(left, 24) : 32);
    }
  }

  /** As after a crash in the middle of the last record: what is written of it up to the end of its page stays, and the WAL goes on on the next page. */
  giveUpLastRecord(before: Lsn): void {
    const offset = Number(before) - this.#start;
    this.#at = Math.ceil(offset / pageBytes) * pageBytes;
    this.#bytes.fill(0, this.#at);
    this.#page(0x0008, 0);
  }

  setPrevious(lsn: Lsn): void {
    this.#previous = Number(lsn);
  }

  switchSegment(): void {
    this.add({ manager: 0, info: 0x40, body: Buffer.alloc(0) });
    this.#at = Math.ceil(this.#at / segmentBytes) * segmentBytes;
  }

  /** All segments that have been begun, by name. */
  segments(): ReadonlyMap<string, Buffer> {
    const count = Math.max(1, Math.ceil(this.#at / segmentBytes));
    this.#makeRoom(count * segmentBytes);
    const named = Array.from({ length: count }, (_, each) => {
      const number = BigInt(this.#start / segmentBytes + each);
      const bytes = Buffer.from(this.#bytes.subarray(each * segmentBytes, (each + 1) * segmentBytes));
      return [formatWalName({ timeline: this.#timeline, number }, segmentBytes), bytes] as const;
    });
    return new Map(named);
  }

  /** Begins a page where one is to be begun. */
  #page(flags: number, remaining: number): void {
    if (this.#at % pageBytes !== 0) return;
    const isFirst = this.#at % segmentBytes === 0;
    const header = Buffer.alloc(headerBytes(this.#at));
    header.writeUInt16LE(this.#magic, 0);
    header.writeUInt16LE(flags | (isFirst ? 0x0002 : 0), 2);
    header.writeUInt32LE(this.#timeline, 4);
    header.writeBigUInt64LE(BigInt(this.#start + this.#at), 8);
    header.writeUInt32LE(remaining, 16);
    if (isFirst) {
      header.writeBigUInt64LE(testSystemIdentifier, 24);
      header.writeUInt32LE(segmentBytes, 32);
      header.writeUInt32LE(pageBytes, 36);
    }
    this.#write(header);
  }

  #write(piece: Buffer): void {
    this.#makeRoom(this.#at + piece.length);
    piece.copy(this.#bytes, this.#at);
    this.#at += piece.length;
  }

  #makeRoom(bytes: number): void {
    if (bytes <= this.#bytes.length) return;
    const larger = Buffer.alloc(Math.ceil(Math.max(bytes, 2 * this.#bytes.length) / segmentBytes) * segmentBytes);
    this.#bytes.copy(larger);
    this.#bytes = larger;
  }
}

function headerBytes(at: number): number {
  return at % segmentBytes === 0 ? 40 : 24;
}

/** Writes in front of a body that all of it is main data; the body has room for that. */
function main(body: Buffer): void {
  if (body.length < 2) return;
  if (body.length - 2 <= 255) {
    body.writeUInt8(255, 0);
    body.writeUInt8(body.length - 2, 1);
  } else {
    body.writeUInt8(254, 0);
    body.writeUInt32LE(body.length - 5, 1);
  }
}

export function mainBody(data: Buffer): Buffer {
  const front = data.length <= 255 ? Buffer.from([255, data.length]) : Buffer.alloc(5, 254);
  if (data.length > 255) front.writeUInt32LE(data.length, 1);
  return Buffer.concat([front, data]);
}

/** TimestampTz of microseconds since 1970. */
export function timestamp(microseconds: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(BigInt(microseconds) - 946_684_800_000_000n);
  return bytes;
}

function u32(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [at, value] of values.entries()) bytes.writeUInt32LE(value, 4 * at);
  return bytes;
}

/** So many numbers that follow one another. */
function listOf(count: number, first: number): Buffer {
  const bytes = Buffer.alloc(4 * count);
  for (let each = 0; each < count; each++) bytes.writeUInt32LE(first + each, 4 * each);
  return bytes;
}

export interface MadeUpTransaction {
  readonly time: number;
  readonly xid: number;
  readonly subtransactions?: number;
  /** Databases of dropped files. */
  readonly drops?: readonly number[];
  /** Prepared before, so that `xid` stands in the body. */
  readonly isPrepared?: boolean;
}

export function commitRecord({ time, xid, subtransactions = 0, drops = [], isPrepared = false }: MadeUpTransaction): MadeUpRecord {
  const flags = (subtransactions > 0 ? 1 << 1 : 0) | (drops.length > 0 ? 1 << 2 : 0) | (isPrepared ? 1 << 4 : 0);
  const lists = [
    u32(flags),
    ...(subtransactions > 0 ? [u32(subtransactions), listOf(subtransactions, xid + 1)] : []),
    ...(drops.length > 0 ? [u32(drops.length, ...drops.flatMap((database, each) => [1663, database, 20_000 + each]))] : []),
    ...(isPrepared ? [u32(xid)] : []),
  ];
  const data = Buffer.concat([timestamp(time), ...(flags === 0 ? [] : lists)]);
  return { manager: 1, info: (isPrepared ? 0x30 : 0x00) | (flags === 0 ? 0 : 0x80), xid: isPrepared ? 0 : xid, body: mainBody(data) };
}

export function restorePointRecord(name: string, time: number): MadeUpRecord {
  const padded = Buffer.alloc(64);
  padded.write(name);
  return { manager: 0, info: 0x70, body: mainBody(Buffer.concat([timestamp(time), padded])) };
}
