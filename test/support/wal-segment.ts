import assert from 'node:assert/strict';
import { parseWalName, startLsnOf } from '../../src/postgres/wal-name.ts';

export interface WalSegmentOptions {
  readonly segmentBytes?: number;
  readonly systemIdentifier?: bigint;
  /** Of the page header; default: the name's. */
  readonly timeline?: number;
  /** What the rest is filled with; two fillings give two contents. */
  readonly filling?: string;
  /** XLOG_PAGE_MAGIC; default: PostgreSQL 15's. */
  readonly magic?: number;
}

export const testSystemIdentifier = 7_310_000_000_000_000_001n;
export const mebibyte = 1024 * 1024;

/** A WAL segment as far as its first page header goes (XLogLongPageHeaderData), the rest is filling. `name` may end in `.partial`. */
export function makeWalSegment(name: string, options: WalSegmentOptions = {}): Buffer {
  const { segmentBytes = mebibyte, systemIdentifier = testSystemIdentifier, filling = 'wal', magic = 0xd110 } = options;
  const segmentName = name.replace(/\.partial$/, '');
  const { timeline } = parseWalName(segmentName, segmentBytes);
  const bytes = Buffer.alloc(segmentBytes, `${filling} ${segmentName} `);
  bytes.writeUInt16LE(magic, 0);
  bytes.writeUInt16LE(0x0002, 2);
  bytes.writeUInt32LE(options.timeline ?? timeline, 4);
  bytes.writeBigUInt64LE(startLsnOf(segmentName, segmentBytes), 8);
  bytes.writeUInt32LE(0, 16);
  bytes.writeUInt32LE(0, 20);
  bytes.writeBigUInt64LE(systemIdentifier, 24);
  bytes.writeUInt32LE(segmentBytes, 32);
  bytes.writeUInt32LE(8192, 36);
  return bytes;
}

/** A history file of the timeline that `name` says. */
export function makeHistory(name: string, switchLsn = '0/3000000'): Buffer {
  const timeline = Number.parseInt(name.slice(0, 8), 16);
  assert(timeline > 1, 'the first timeline has no history');
  return Buffer.from(`${timeline - 1}\t${switchLsn}\tno recovery target specified\n`);
}

/** The same bytes but for one bit in their middle. */
export function flipBit(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  const at = copy.length >> 1;
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}
