import type { Clock } from '../../lib/clock.ts';
import { SampleBook } from './sample-book.ts';

/** One book for each site. They outlive a site that is made anew, and with the state file the process. */
export class SampleBooks {
  readonly #clock: Clock;
  readonly #previous: Record<string, unknown> | undefined;
  readonly #books = new Map<string, SampleBook>();

  /** `previousState`: a state file of any version. */
  constructor(clock: Clock, previousState: Record<string, unknown> | undefined) {
    this.#clock = clock;
    this.#previous = previousState;
  }

  of(site: string): SampleBook {
    const known = this.#books.get(site);
    if (known !== undefined) return known;
    const book = new SampleBook(this.#clock, memoryOf(this.#previous, site));
    this.#books.set(site, book);
    return book;
  }
}

type Objects = Record<string, Record<string, unknown> | null | undefined> | null | undefined;

function memoryOf(state: Record<string, unknown> | undefined, site: string): unknown {
  const ours = state?.['pghoard'] as Objects;
  const sites = ours?.['sites'] as Objects;
  return sites?.[site]?.['server_samples'];
}
