/** Something that changes, and those who wait for it to be as they want it. */
export class Condition {
  #changed = Promise.withResolvers<void>();

  /** Has whoever waits look again. */
  readonly wake = (): void => {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  };

  /** What `look` returns, once that is something. Rejects with the signal's reason. */
  async until<T>(look: () => T | undefined, signal: AbortSignal): Promise<T> {
    signal.addEventListener('abort', this.wake, { once: true });
    try {
      for (;;) {
        signal.throwIfAborted();
        const found = look();
        if (found !== undefined) return found;
        await this.#changed.promise;
      }
    } finally {
      signal.removeEventListener('abort', this.wake);
    }
  }
}
