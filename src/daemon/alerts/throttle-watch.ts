import type { Clock } from '../../lib/clock.ts';
import type { RequestObserver, StoreRequest } from '../../storage/request-observer.ts';

/** A store that has not refused anything for so long does not throttle any more. */
const quietMs = 180_000;

/** Since when a store refuses requests because there are too many. It may take others meanwhile: fewer at once are asked of it then. */
export class ThrottleWatch implements RequestObserver {
  readonly #clock: Clock;
  #firstMs: number | undefined;
  #lastMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** 0 while it does not. */
  get throttledMs(): number {
    if (this.#firstMs === undefined || this.#clock.monotonicMs() - this.#lastMs >= quietMs) return 0;
    return this.#clock.monotonicMs() - this.#firstMs;
  }

  ended({ outcome }: StoreRequest): void {
    if (outcome !== 'store-throttled') return;
    if (this.throttledMs === 0) this.#firstMs = this.#clock.monotonicMs();
    this.#lastMs = this.#clock.monotonicMs();
  }
}
