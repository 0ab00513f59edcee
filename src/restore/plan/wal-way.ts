import type { Lsn } from '../../postgres/lsn.ts';
import { formatWalName } from '../../postgres/wal-name.ts';

/** A timeline's part of the WAL that a recovery reads: from `begin` up to, not including, `end`. */
export interface WayPart {
  readonly timeline: number;
  readonly begin: Lsn;
  readonly end: Lsn;
}

/** The WAL that a recovery can read, from its first segment on. Plain data, so that it can be sent to a worker. */
export interface WalWay {
  readonly segmentBytes: number;
  /** Oldest timeline first; each begins where the one before was left. */
  readonly parts: readonly WayPart[];
  /** Number of the segment in which recovery begins. */
  readonly first: bigint;
  /** Everything from there up to this position is stored. */
  readonly end: Lsn;
}

/** Number of the segment that holds the position. */
export function numberAt({ segmentBytes }: Pick<WalWay, 'segmentBytes'>, lsn: Lsn): bigint {
  return lsn / BigInt(segmentBytes);
}

/** Number of the last segment that is stored. */
export function lastOf(way: WalWay): bigint {
  return numberAt(way, way.end - 1n);
}

/** The timeline to which the position belongs. */
export function timelineAt({ parts }: Pick<WalWay, 'parts'>, lsn: Lsn): number {
  return (parts.findLast(({ begin }) => begin <= lsn) ?? parts[0])?.timeline ?? 1;
}

/** The timelines under whose names PostgreSQL looks for the segment, in that order: the newest one first (XLogFileReadAnyTLI). */
export function partsAt(way: WalWay, number: bigint): readonly WayPart[] {
  return way.parts.filter(({ begin, end }) => numberAt(way, begin) <= number && number <= numberAt(way, end - 1n)).toReversed();
}

export function nameIn({ segmentBytes }: Pick<WalWay, 'segmentBytes'>, { timeline }: Pick<WayPart, 'timeline'>, number: bigint): string {
  return formatWalName({ timeline, number }, segmentBytes);
}
