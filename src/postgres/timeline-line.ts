import type { Lsn } from './lsn.ts';
import type { TimelineSwitch } from './timeline-history.ts';
import { classifyWalFile, formatWalName, parseWalName, type WalSegment } from './wal-name.ts';

/** Where a server is in its WAL, and how it came there. */
export interface WalPlace {
  readonly timeline: number;
  readonly position: Lsn;
  /** Ancestors of the timeline, oldest first. */
  readonly history: readonly TimelineSwitch[];
  readonly segmentBytes: number;
}

/** The part of a timeline that belongs to the line; numbers of segments. */
interface Stretch {
  readonly timeline: number;
  readonly first: bigint;
  /** In which the timeline was left, or in which the server is now. */
  readonly last: bigint;
}

/** Segments that are needed under the name of one timeline: from `first` up to, not including, `end`. */
export interface NamedStretch {
  readonly timeline: number;
  readonly first: bigint;
  readonly end: bigint;
}

/**
 * The segments that lead to where a server is, over all timelines. The segment in which a timeline was left has its continuation in the new
 * timeline, under the new timeline's name and with a copy of what came before: so each number has one name on the line, the newest.
 */
export class TimelineLine {
  readonly segmentBytes: number;
  /** The segment that is being written. */
  readonly current: WalSegment;
  readonly #stretches: readonly Stretch[];

  constructor({ timeline, position, history, segmentBytes }: WalPlace) {
    const numberAt = (lsn: Lsn) => lsn / BigInt(segmentBytes);
    const ends = [...history.map((left) => ({ timeline: left.timeline, end: left.switchLsn })), { timeline, end: position }];
    this.segmentBytes = segmentBytes;
    this.current = { timeline, number: numberAt(position) };
    this.#stretches = ends.map((each, index) => ({
      timeline: each.timeline,
      first: numberAt(ends[index - 1]?.end ?? 0n),
      last: numberAt(each.end),
    }));
  }

  /** All that is finished, oldest first; the segment that is being written is not among it. */
  *finished(): Generator<NamedStretch> {
    for (const [index, { timeline, first }] of this.#stretches.entries()) {
      const end = this.#stretches[index + 1]?.first ?? this.current.number;
      if (first < end) yield { timeline, first, end };
    }
  }

  /** The name under which the segment is needed; undefined beyond the current one. */
  nameAt(number: bigint): string | undefined {
    if (number < 0n || number > this.current.number) return undefined;
    const stretch = this.#stretches.findLast(({ first }) => first <= number);
    return stretch && formatWalName({ timeline: stretch.timeline, number }, this.segmentBytes);
  }

  /** Whether the segment lies on the line under just this name. */
  includes(name: string): boolean {
    const segment = this.parse(name);
    return segment !== undefined && this.nameAt(segment.number) === name;
  }

  /** Whether the timeline of this segment was the line's at that point: also true for the segment in which it was left. */
  touches({ timeline, number }: WalSegment): boolean {
    return this.#stretches.some((stretch) => stretch.timeline === timeline && stretch.first <= number && number <= stretch.last);
  }

  /** Undefined for what is no segment of this size. */
  parse(name: string): WalSegment | undefined {
    try {
      return classifyWalFile(name) === 'segment' ? parseWalName(name, this.segmentBytes) : undefined;
    } catch {
      return undefined;
    }
  }
}
