/** Tells WAL that was fetched because somebody needed it from WAL that a server hands over by itself, as it should. */
export class FetchedWal {
  readonly #underWay = new Set<string>();
  #newest: string | undefined;

  /** The newest that was fetched; undefined once a server has handed over any since. */
  get newest(): string | undefined {
    return this.#newest;
  }

  async fetch(name: string, work: () => Promise<unknown>): Promise<void> {
    this.#underWay.add(name);
    try {
      await work();
      if (this.#newest === undefined || name > this.#newest) this.#newest = name;
    } finally {
      this.#underWay.delete(name);
    }
  }

  /** To be called with each file that is stored, whoever had it stored. */
  stored(name: string): void {
    if (!this.#underWay.has(name)) this.#newest = undefined;
  }
}
