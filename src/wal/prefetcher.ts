/**
 * Walks along the names that come next and starts a transfer for each, one after the other has been found to exist:
 * at the end of the archive that costs one request for a missing object, not one for each name of the window.
 */
export class Prefetcher {
  readonly #start: (name: string) => Promise<boolean>;
  readonly #signal: AbortSignal;
  #names: readonly string[] = [];
  #tried = new Set<string>();
  #walk: Promise<void> | undefined;

  /** `start` begins the transfer unless it is here already; resolves to whether there is such an object, without waiting for its bytes. */
  constructor(start: (name: string) => Promise<boolean>, signal: AbortSignal) {
    this.#start = start;
    this.#signal = signal;
  }

  /** From now on these names are wanted, in this order. A walk that was ended by a missing name begins anew. */
  want(names: readonly string[]): void {
    this.#names = names;
    if (this.#walk) {
      this.#tried = new Set(names.filter((name) => this.#tried.has(name)));
      return;
    }
    this.#tried.clear();
    this.#walk = this.#walkOn().finally(() => (this.#walk = undefined));
  }

  async settled(): Promise<void> {
    await this.#walk;
  }

  async #walkOn(): Promise<void> {
    for (;;) {
      const name = this.#names.find((candidate) => !this.#tried.has(candidate));
      if (name === undefined || this.#signal.aborted) return;
      this.#tried.add(name);
      if (!(await this.#start(name))) return;
    }
  }
}
