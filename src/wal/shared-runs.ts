/** Work by name: who asks for what is already running gets that run's result. */
export class SharedRuns<T> {
  readonly #running = new Map<string, Promise<T>>();

  run(name: string, work: () => Promise<T>): Promise<T> {
    const running = this.#running.get(name);
    if (running) return running;
    const started = work().finally(() => this.#running.delete(name));
    this.#running.set(name, started);
    return started;
  }

  get names(): Iterable<string> {
    return this.#running.keys();
  }

  has(name: string): boolean {
    return this.#running.has(name);
  }

  /** Resolves once nothing runs, whatever came of it. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled(this.#running.values());
  }
}
