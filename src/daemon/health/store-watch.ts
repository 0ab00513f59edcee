import type { Clock } from '../../lib/clock.ts';
import type { RequestObserver, StoreRequest } from '../../storage/request-observer.ts';
import type { StoreContact, StoreView } from './health-view.ts';

/** What a store says of an object is an answer like any other; these say that it could not do what it was asked for. */
const failures = /^store-/;

/** When a store last did what it was asked for, and when it last did not. */
export class StoreWatch implements RequestObserver {
  readonly #clock: Clock;
  #success: Moment | undefined;
  #failure: (Moment & { readonly because: string }) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get view(): StoreView {
    const lastFailure = this.#failure && { ...this.#contact(this.#failure), because: this.#failure.because };
    return { lastSuccess: this.#success && this.#contact(this.#success), lastFailure };
  }

  /** A request that was given up, or failed for reasons of our own, says nothing. */
  ended({ outcome, operation, because }: StoreRequest): void {
    const moment = { at: this.#clock.now(), monotonicMs: this.#clock.monotonicMs() };
    if (failures.test(outcome)) this.#failure = { ...moment, because: `${because ?? operation} (${outcome})` };
    else if (outcome !== 'other') this.#success = moment;
  }

  #contact({ at, monotonicMs }: Moment): StoreContact {
    return { at, msAgo: this.#clock.monotonicMs() - monotonicMs };
  }
}

interface Moment {
  readonly at: Date;
  readonly monotonicMs: number;
}
