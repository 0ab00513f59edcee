/**
 * Work by name, one at a time for each: who asks for what is already running gets that run's result. Work on another `subject` of the same name
 * is not the same, and waits for its turn.
 */
export class SharedRuns<T> {
  readonly #running = new Map<string, { readonly subject: string; readonly result: Promise<T> }>();

  async run(name: string, work: () => Promise<T>, subject = name): Promise<T> {
    for (let running = this.#running.get(name); running; running = this.#running.get(name)) {
      if (running.subject === subject) return running.result;
      await Promise.allSettled([running.result]);
    }
    const result = work().finally(() => this.#running.delete(name));
    this.#running.set(name, { subject, result });
    return result;
  }

  get names(): Iterable<string> {
    return this.#running.keys();
  }

  has(name: string): boolean {
    return this.#running.has(name);
  }

  /** Resolves once nothing runs, whatever came of it. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled([...this.#running.values()].map(({ result }) => result));
  }
}
