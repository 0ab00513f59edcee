import assert from 'node:assert/strict';
import { OperatorError } from '../lib/errors.ts';
import type { Lsn } from './lsn.ts';

/** A WAL segment of a timeline, counted from the start of the WAL (XLogSegNo). */
export interface WalSegment {
  readonly timeline: number;
  readonly number: bigint;
}

export type WalFileKind = 'segment' | 'partial' | 'history' | 'backup-label';

/** What `initdb` chooses unless told otherwise. */
export const defaultSegmentBytes = 16 * 1024 * 1024;

const segmentBytesMin = 1024 * 1024;
const segmentBytesMax = 1024 * 1024 * 1024;

const kinds: readonly (readonly [WalFileKind, RegExp])[] = [
  ['segment', /^[0-9A-F]{24}$/],
  ['partial', /^[0-9A-F]{24}\.partial$/],
  ['history', /^[0-9A-F]{8}\.history$/],
  ['backup-label', /^[0-9A-F]{24}\.[0-9A-F]{8}\.backup$/],
];

/** What a file in `pg_wal` is by its name (xlog_internal.h: IsXLogFileName and its sisters); `undefined` for anything else. */
export function classifyWalFile(name: string): WalFileKind | undefined {
  return kinds.find(([, pattern]) => pattern.test(name))?.[0];
}

/** PostgreSQL allows powers of two from 1 MiB to 1 GiB. */
export function isSegmentBytes(bytes: number): boolean {
  return bytes >= segmentBytesMin && bytes <= segmentBytesMax && Number.isInteger(Math.log2(bytes));
}

/** Reads timeline and position from a segment's name (24 upper-case hex digits). Throws `wal-name-invalid`. */
export function parseWalName(name: string, segmentBytes: number): WalSegment {
  if (classifyWalFile(name) !== 'segment') throw invalidName(name, 'a segment has 24 upper-case hexadecimal digits');
  const perLog = segmentsPerLog(segmentBytes);
  const low = BigInt(`0x${name.slice(16)}`);
  if (low >= perLog) throw invalidName(name, `with segments of ${segmentBytes} bytes its last 8 digits cannot exceed ${hex8(perLog - 1n)}`);
  return { timeline: Number.parseInt(name.slice(0, 8), 16), number: BigInt(`0x${name.slice(8, 16)}`) * perLog + low };
}

/** `TTTTTTTTHHHHHHHHLLLLLLLL`: timeline, high half of the position, segment within that 4 GiB. */
export function formatWalName(segment: WalSegment, segmentBytes: number): string {
  const perLog = segmentsPerLog(segmentBytes);
  assert(segment.number >= 0n && segment.number < perLog << 32n, `no segment has the number ${segment.number}`);
  return `${hex8(BigInt(segment.timeline))}${hex8(segment.number / perLog)}${hex8(segment.number % perLog)}`;
}

/** The segment behind `name` on the same timeline. */
export function nextWalName(name: string, segmentBytes: number): string {
  const { timeline, number } = parseWalName(name, segmentBytes);
  if (number + 1n >= segmentsPerLog(segmentBytes) << 32n) throw invalidName(name, 'it is the last one there can be');
  return formatWalName({ timeline, number: number + 1n }, segmentBytes);
}

/** The segment that holds the byte at `lsn`. */
export function walNameOf(lsn: Lsn, timeline: number, segmentBytes: number): string {
  return formatWalName({ timeline, number: lsn / BigInt(segmentBytes) }, segmentBytes);
}

/** The segment that holds the last byte before `lsn`: the last one that recovery reads to come there. */
export function lastWalNameBefore(lsn: Lsn, timeline: number, segmentBytes: number): string {
  return walNameOf(lsn - 1n, timeline, segmentBytes);
}

/** Name of the file that tells where a timeline comes from. */
export function historyNameOf(timeline: number): string {
  return `${hex8(BigInt(timeline))}.history`;
}

/** Where the segment begins. */
export function startLsnOf(name: string, segmentBytes: number): Lsn {
  return parseWalName(name, segmentBytes).number * BigInt(segmentBytes);
}

function segmentsPerLog(segmentBytes: number): bigint {
  assert(isSegmentBytes(segmentBytes), `${segmentBytes} bytes is no WAL segment size`);
  return BigInt(2 ** 32 / segmentBytes);
}

function hex8(value: bigint): string {
  return value.toString(16).toUpperCase().padStart(8, '0');
}

function invalidName(name: string, why: string): OperatorError {
  return new OperatorError('wal-name-invalid', `${JSON.stringify(name)} is not the name of a WAL segment: ${why}`);
}
