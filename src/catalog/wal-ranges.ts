import type { WalSegment } from '../postgres/wal-name.ts';

/** Consecutive segments of one timeline, both ends included. */
export interface WalRange {
  readonly first: bigint;
  readonly last: bigint;
  /** When the first of them was stored. */
  readonly since: Date;
}

/** Which segments there are, as ranges: as much memory as there are holes, however many segments. */
export class WalRanges {
  readonly #byTimeline = new Map<number, WalRange[]>();

  /** Ascending. */
  get timelines(): number[] {
    return [...this.#byTimeline.keys()].toSorted((a, b) => a - b);
  }

  /** Ascending, with at least one segment missing between any two. */
  of(timeline: number): readonly WalRange[] {
    return this.#byTimeline.get(timeline) ?? [];
  }

  /** In any order; the order of a listing is the fastest. What is there already changes nothing. */
  add({ timeline, number }: WalSegment, stored: Date): void {
    const ranges = this.#byTimeline.get(timeline);
    if (ranges === undefined) {
      this.#byTimeline.set(timeline, [{ first: number, last: number, since: stored }]);
      return;
    }
    const at = ranges.findLastIndex(({ first }) => first <= number);
    const before = ranges[at];
    const after = ranges[at + 1];
    if (before !== undefined && number <= before.last) return;
    const joinsBefore = before?.last === number - 1n;
    const joinsAfter = after?.first === number + 1n;
    const { first, since } = joinsBefore ? before : { first: number, since: stored };
    const last = joinsAfter ? after.last : number;
    ranges.splice(joinsBefore ? at : at + 1, Number(joinsBefore) + Number(joinsAfter), { first, last, since });
  }

  /** Takes these out, both ends included. */
  cut(timeline: number, from: bigint, to: bigint): void {
    if (from > to) return;
    const left = this.of(timeline).flatMap((range) => {
      if (range.last < from || range.first > to) return [range];
      return [
        ...(range.first < from ? [{ ...range, last: from - 1n }] : []),
        // When the first one of the rest was stored is not remembered; not before the whole.
        ...(range.last > to ? [{ ...range, first: to + 1n }] : []),
      ];
    });
    if (left.length === 0) this.#byTimeline.delete(timeline);
    else this.#byTimeline.set(timeline, left);
  }
}
