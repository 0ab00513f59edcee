import type { Clock } from '../lib/clock.ts';
import { type DepthRange, MovingMean, nextDepth } from './prefetch-depth.ts';

/** Keeps count of how long things take during a recovery, and with that of how many segments to fetch ahead. */
export class PrefetchPace {
  readonly #range: DepthRange;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #replay = new MovingMean();
  readonly #fetch = new MovingMean();
  #depth: number;
  #handedOutMs: number | undefined;

  constructor(range: DepthRange, clock: Pick<Clock, 'monotonicMs'>) {
    this.#range = range;
    this.#clock = clock;
    this.#depth = range.start;
  }

  /** Segments to fetch ahead. */
  get depth(): number {
    return Math.ceil(this.#depth);
  }

  /** Measures a fetch, if a file comes of it. */
  async timing<T>(fetch: () => Promise<T | undefined>): Promise<T | undefined> {
    const startMs = this.#clock.monotonicMs();
    const fetched = await fetch();
    if (fetched !== undefined) this.#fetch.add(this.#clock.monotonicMs() - startMs);
    return fetched;
  }

  /** A segment that was asked for at `askedMs` is handed out; `wasThere`: it had come by then. */
  served(wasThere: boolean, askedMs: number): void {
    if (this.#handedOutMs !== undefined) {
      this.#replay.add(askedMs - this.#handedOutMs);
      this.#depth = nextDepth(this.#depth, { wasThere, replayMs: this.#replay.value, fetchMs: this.#fetch.value }, this.#range);
    }
    this.#handedOutMs = this.#clock.monotonicMs();
  }
}
