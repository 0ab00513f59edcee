/** How many segments are fetched ahead. */
export interface DepthRange {
  /** In the beginning, and at least. */
  readonly start: number;
  readonly max: number;
}

/** What is known when PostgreSQL asks for a segment. */
export interface SegmentAsked {
  /** It had come by then. */
  readonly wasThere: boolean;
  /** How long PostgreSQL is busy with a segment before it asks for the next, and how long a fetch takes, both on average; undefined until measured. */
  readonly replayMs: number | undefined;
  readonly fetchMs: number | undefined;
}

/** Takes up that neither takes equally long each time. */
const spare = 2;
/** So slowly does the depth go back: one segment less after so many that were there. */
const segmentsPerStepBack = 16;

/** What `restore_prefetch` asks for: a number is the most; without one it is {@link segmentsMax}. `transfers`: how many are fetched at once. */
export function depthRange(restorePrefetch: number | null, transfers: number): DepthRange {
  const max = restorePrefetch ?? segmentsMax;
  return { start: Math.min(transfers, max), max };
}

const segmentsMax = 64;
/** Disk space that files fetched ahead may take in any case, and as a part of what is free. */
const bytesMax = 2 * 1024 ** 3;
const partOfFree = 0.5;

/** How many segments there is room for: at least one, as the one that is asked for needs room, too. */
export function segmentsFitting(segmentBytes: number, freeBytes: number): number {
  return Math.max(1, Math.floor(Math.min(bytesMax, freeBytes * partOfFree) / segmentBytes));
}

/**
 * How many segments to fetch ahead from now on; a fraction, to be rounded up. While one is fetched PostgreSQL asks for `fetchMs / replayMs` others,
 * so that many must be under way if it is never to wait. If it had to wait all the same it takes one more, and one less only after a long time.
 */
export function nextDepth(depth: number, { wasThere, replayMs, fetchMs }: SegmentAsked, { start, max }: DepthRange): number {
  const needed = replayMs === undefined || fetchMs === undefined ? 0 : Math.ceil(fetchMs / Math.max(replayMs, 1)) + spare;
  const wanted = Math.max(needed, wasThere ? depth - 1 / segmentsPerStepBack : Math.ceil(depth) + 1);
  return Math.min(Math.max(wanted, start), max);
}

/** A mean of which older values are a smaller part, the older the smaller. */
export class MovingMean {
  #mean: number | undefined;

  get value(): number | undefined {
    return this.#mean;
  }

  add(value: number): void {
    this.#mean = this.#mean === undefined ? value : this.#mean + (value - this.#mean) / 4;
  }
}
