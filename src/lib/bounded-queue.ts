interface Waiter<T> {
  readonly resolve: (value: T) => void;
}

/** A first-in first-out queue of at most `max` items: `put` waits for room, `take` waits for an item. */
export class BoundedQueue<T> {
  readonly #max: number;
  readonly #items: T[] = [];
  readonly #takers: Waiter<T>[] = [];
  readonly #putters: Waiter<undefined>[] = [];

  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#items.length;
  }

  /** Adds the item if there is room for it; says whether there was. */
  offer(item: T): boolean {
    const taker = this.#takers.shift();
    if (taker) {
      taker.resolve(item);
      return true;
    }
    if (this.#items.length >= this.#max) return false;
    this.#items.push(item);
    return true;
  }

  async put(item: T, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    while (!this.offer(item)) await wait(this.#putters, signal);
  }

  async take(signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted();
    if (this.#items.length === 0) return wait(this.#takers, signal);
    const item = this.#items.shift() as T;
    this.#putters.shift()?.resolve(undefined);
    return item;
  }
}

function wait<T>(waiters: Waiter<T>[], signal?: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const leave = () => {
      waiters.splice(waiters.indexOf(waiter), 1);
      reject(signal?.reason);
    };
    const waiter: Waiter<T> = {
      resolve: (value) => {
        signal?.removeEventListener('abort', leave);
        resolve(value);
      },
    };
    signal?.addEventListener('abort', leave, { once: true });
    waiters.push(waiter);
  });
}
