import { OperatorError } from '../lib/errors.ts';
import { formatLsn, type Lsn } from './lsn.ts';
import { differenceOf, siteOfItsOwn } from './seen-cluster.ts';
import { isSegmentBytes, startLsnOf } from './wal-name.ts';

/** The header of a WAL page. */
export interface WalPageHeader {
  /** The PostgreSQL version that writes this format: `15`, `9.6`. */
  readonly major: string;
  readonly magic: number;
  readonly timeline: number;
  readonly pageAddress: Lsn;
  /** Only on the first page of a segment. */
  readonly long?: { readonly systemIdentifier: bigint; readonly segmentBytes: number; readonly pageBytes: number };
}

export interface ExpectedWal {
  readonly segmentBytes?: number | undefined;
  readonly systemIdentifier?: bigint | undefined;
  /** How long the file is. */
  readonly fileBytes?: number | undefined;
}

/** Enough for {@link checkWalSegment}: sizeof(XLogLongPageHeaderData). */
export const walHeaderBytes = 40;

/** XLOG_PAGE_MAGIC of each release (xlog_internal.h). */
const majorByMagic: ReadonlyMap<number, string> = new Map([
  [0xd071, '9.2'],
  [0xd075, '9.3'],
  [0xd07e, '9.4'],
  [0xd087, '9.5'],
  [0xd093, '9.6'],
  [0xd097, '10'],
  [0xd098, '11'],
  [0xd101, '12'],
  [0xd106, '13'],
  [0xd10d, '14'],
  [0xd110, '15'],
  [0xd113, '16'],
  [0xd116, '17'],
  [0xd118, '18'],
]);

/** XLP_LONG_HEADER: the first page of a segment carries the longer header. */
const longHeaderFlag = 0x0002;
const shortHeaderBytes = 20;

/**
 * XLogPageHeaderData, little endian: magic u16, info u16, timeline u32, page address u64, bytes left of a record u32, padding u32;
 * XLogLongPageHeaderData adds: system identifier u64, segment size u32, page size u32. 9.2 stored the address as two u32, high half first,
 * and had no bytes-left field. Throws `wal-invalid`.
 */
export function parseWalPageHeader(bytes: Buffer): WalPageHeader {
  if (bytes.length < shortHeaderBytes) throw new OperatorError('wal-invalid', `a WAL page of only ${bytes.length} bytes`);
  const magic = bytes.readUInt16LE(0);
  const major = majorByMagic.get(magic);
  if (major === undefined) throw unknownMagic(bytes, magic);
  const isOld = major === '9.2';
  const longAt = isOld ? 16 : 24;
  const hasLong = (bytes.readUInt16LE(2) & longHeaderFlag) !== 0 && bytes.length >= longAt + 16;
  return {
    major,
    magic,
    timeline: bytes.readUInt32LE(4),
    pageAddress: isOld ? (BigInt(bytes.readUInt32LE(8)) << 32n) | BigInt(bytes.readUInt32LE(12)) : bytes.readBigUInt64LE(8),
    ...(hasLong && {
      long: {
        systemIdentifier: bytes.readBigUInt64LE(longAt),
        segmentBytes: bytes.readUInt32LE(longAt + 8),
        pageBytes: bytes.readUInt32LE(longAt + 12),
      },
    }),
  };
}

/**
 * Whether a file is the WAL segment that its name says: known magic, page address, segment size, and cluster and length where the caller
 * knows them. The header's timeline may be older than the name's: a new timeline starts with a copy of the old one's last segment.
 * `firstBytes` are the first {@link walHeaderBytes} or more. Throws `wal-invalid`, and `cluster-mismatch`.
 */
export function checkWalSegment(name: string, firstBytes: Buffer, expect: ExpectedWal = {}): WalPageHeader {
  const segment = name.replace(/\.partial$/, '');
  const fail = (what: string, hint?: string) => invalidWal(name, what, hint);
  if (firstBytes.length === 0) throw fail('the file is empty');
  if (firstBytes.length < walHeaderBytes) throw fail(`the file has only ${firstBytes.length} bytes`);
  const header = parseHeaderOf(name, firstBytes);
  const { long } = header;
  if (long === undefined || !isSegmentBytes(long.segmentBytes)) throw fail('its first page does not bear the header of a first page');

  const difference = differenceOf(expect, long);
  if (difference !== undefined) {
    throw new OperatorError('cluster-mismatch', `${name} is WAL of another cluster: ${difference}`, { hint: siteOfItsOwn });
  }
  const address = startLsnOf(segment, long.segmentBytes);
  if (header.pageAddress !== address) {
    throw fail(
      `it holds WAL from position ${formatLsn(header.pageAddress)}, its name says ${formatLsn(address)}`,
      'PostgreSQL reuses old segments under new names; this one has not been filled yet, or was renamed by hand.',
    );
  }
  const timeline = Number.parseInt(segment.slice(0, 8), 16);
  if (header.timeline > timeline) throw fail(`it is from timeline ${header.timeline}, its name says ${timeline}`);
  if (expect.fileBytes !== undefined && expect.fileBytes !== long.segmentBytes) {
    throw fail(`the file has ${expect.fileBytes} bytes, its header says segments have ${long.segmentBytes}`);
  }
  return header;
}

function parseHeaderOf(name: string, firstBytes: Buffer): WalPageHeader {
  try {
    return parseWalPageHeader(firstBytes);
  } catch (error) {
    throw new OperatorError('wal-invalid', `${name} is not a valid WAL segment`, { cause: error });
  }
}

function unknownMagic(bytes: Buffer, magic: number): OperatorError {
  if (bytes.every((byte) => byte === 0))
    return new OperatorError('wal-invalid', 'a WAL page of zeros only: nothing has been written to it');
  const hex = magic.toString(16).toUpperCase().padStart(4, '0');
  return new OperatorError(
    'wal-invalid',
    `a WAL page that begins with ${hex}, which no known PostgreSQL version writes (9.2 to 18 are known)`,
    {
      hint: 'Either the file is damaged, or PostgreSQL is newer than this pghoard.',
    },
  );
}

function invalidWal(name: string, what: string, hint?: string): OperatorError {
  return new OperatorError('wal-invalid', `${name} is not a valid WAL segment: ${what}`, hint === undefined ? {} : { hint });
}
