import type { Clock } from './clock.ts';

/** Aborts its signal once so much time has passed by a clock. Disposed of when what it limits has ended. */
export class TimeLimit implements Disposable {
  readonly #over = new AbortController();
  readonly #ended = new AbortController();

  constructor(ms: number, clock: Pick<Clock, 'sleep'>) {
    const expire = () => this.#over.abort(new DOMException(`it took longer than ${ms / 1000} seconds`, 'TimeoutError'));
    clock.sleep(ms, this.#ended.signal).then(expire, () => {});
  }

  get signal(): AbortSignal {
    return this.#over.signal;
  }

  [Symbol.dispose](): void {
    this.#ended.abort();
  }
}
