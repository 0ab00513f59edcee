import type { Clock } from '../../lib/clock.ts';
import { explain } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import { type MendDeps, type MendOutcome, mendFromDirectory, mendFromNodes } from './mend.ts';
import type { Sought, TroubleBook } from './trouble-book.ts';
import type { WantedWal } from './wanted.ts';

export interface MenderDeps extends MendDeps {
  readonly site: string;
  readonly book: TroubleBook;
  readonly clock: Clock;
  readonly log: Log;
}

/** After so many attempts WAL counts as lost, though a node that could not be asked may have it. */
const attemptsMax = 5;
const delayMsFirst = 10_000;
const delayMsMax = 3_600_000;

/** Has what is missing fetched from wherever it still is, in the background: at once, then after 10 s, 30 s, 90 s … and in the end every hour. */
export class Mender {
  readonly #deps: MenderDeps;
  #running: Promise<void> | undefined;
  #attempts = 0;
  #notBeforeMs = 0;

  constructor(deps: MenderDeps) {
    this.#deps = deps;
  }

  /** There is something new to look for. */
  again(): void {
    this.#attempts = 0;
    this.#notBeforeMs = 0;
  }

  /** Begins an attempt unless one is under way or it is too early. */
  begin(): void {
    const { book, clock, site, log, signal } = this.#deps;
    if (this.#running !== undefined || book.known.length === 0 || clock.monotonicMs() < this.#notBeforeMs || signal.aborted) return;
    this.#running = this.#attempt()
      .catch((error: unknown) => {
        if (!signal.aborted) log.error({ site }, `looking for missing WAL failed: ${explain(error)}`);
        this.#postpone();
      })
      .finally(() => (this.#running = undefined));
  }

  async settled(): Promise<void> {
    await this.#running;
  }

  async #attempt(): Promise<void> {
    const { site, log } = this.#deps;
    const { wanted, keys } = this.#wanted();
    const { stored, refused } = await mendFromDirectory(wanted, this.#deps);
    if (stored > 0) {
      log.info({ site, files: stored }, 'archived WAL that was missing from the data directory');
      // What is left of the holes, if anything, is another question now.
      return;
    }
    for await (const outcome of mendFromNodes(wanted, this.#deps)) this.#note(keys.get(outcome.what), outcome, refused);
    this.#postpone();
  }

  /** The worst first. */
  #wanted(): { readonly wanted: WantedWal; readonly keys: ReadonlyMap<MendOutcome['what'] | undefined, string> } {
    const troubles = this.#deps.book.known.map(({ trouble }) => trouble).toReversed();
    const missing = troubles.map((trouble) => trouble.missing);
    const holes = missing.filter((what) => typeof what === 'object');
    const histories = missing.filter((what) => typeof what === 'number');
    return { wanted: { holes, histories }, keys: new Map(troubles.map((trouble) => [trouble.missing, trouble.key])) };
  }

  #note(key: string | undefined, { because, isLost }: MendOutcome, refused: readonly string[]): void {
    const { book, log, site } = this.#deps;
    const known = book.known.find(({ trouble }) => trouble.key === key);
    if (because === undefined) log.info({ site }, 'archived WAL that was missing from another node');
    if (known === undefined || because === undefined) return;
    const sought: Sought = { because: [...refused, because].join('; '), isLost: isLost || this.#attempts + 1 >= attemptsMax };
    if (known.sought?.because !== sought.because) log.warn({ site }, `${known.trouble.words}, and is not to be had: ${sought.because}`);
    book.sought(known.trouble.key, sought);
  }

  #postpone(): void {
    const { clock } = this.#deps;
    this.#notBeforeMs = clock.monotonicMs() + Math.min(delayMsFirst * 3 ** this.#attempts, delayMsMax);
    this.#attempts++;
  }
}
