/** What came of beginning a transfer: the file is here already or on its way; it comes; it does not come. */
export type Begun = 'here' | 'coming' | 'missing';

/**
 * Walks along the names that come next and begins a transfer for each. Whether they exist is asked for one name after the other in the beginning,
 * and for twice as many at once after each that does: at the end of the archive that costs a request or a few for missing objects, and then one
 * whenever it is tried again, not one for each name of the window.
 */
export class Prefetcher {
  readonly #begin: (name: string) => Promise<Begun>;
  readonly #requestsMax: number;
  readonly #signal: AbortSignal;
  #names: readonly string[] = [];
  #tried = new Set<string>();
  readonly #asking = new Set<Promise<void>>();
  #atOnce = 1;
  #hasEnded = false;

  /** `begin` resolves as soon as it is known whether there is such an object, without waiting for its bytes. */
  constructor(begin: (name: string) => Promise<Begun>, requestsMax: number, signal: AbortSignal) {
    this.#begin = begin;
    this.#requestsMax = requestsMax;
    this.#signal = signal;
  }

  /** From now on these names are wanted, in this order. A walk that was ended by a missing name begins anew. */
  want(names: readonly string[]): void {
    this.#names = names;
    const isWalking = this.#asking.size > 0;
    this.#tried = new Set(isWalking ? names.filter((name) => this.#tried.has(name)) : []);
    this.#hasEnded &&= isWalking;
    this.#walkOn();
  }

  /** Resolves once no answer is missing any more. */
  async settled(): Promise<void> {
    while (this.#asking.size > 0) await Promise.allSettled(this.#asking);
  }

  #walkOn(): void {
    while (!this.#hasEnded && !this.#signal.aborted && this.#asking.size < this.#atOnce) {
      const name = this.#names.find((candidate) => !this.#tried.has(candidate));
      if (name === undefined) return;
      this.#tried.add(name);
      const asking: Promise<void> = this.#ask(name).finally(() => {
        this.#asking.delete(asking);
        this.#walkOn();
      });
      this.#asking.add(asking);
    }
  }

  async #ask(name: string): Promise<void> {
    const begun = await this.#begin(name);
    if (begun === 'coming') this.#atOnce = Math.min(this.#atOnce * 2, this.#requestsMax);
    if (begun !== 'missing') return;
    this.#atOnce = 1;
    this.#hasEnded = true;
  }
}
