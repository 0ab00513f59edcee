import { BoundedQueue } from './bounded-queue.ts';

/** Lets at most `max` pieces of work run at once; the others wait in the order they came. */
export class Limiter {
  readonly #permits: BoundedQueue<undefined>;

  constructor(max: number) {
    this.#permits = new BoundedQueue(max);
    for (let i = 0; i < max; i++) this.#permits.offer(undefined);
  }

  async run<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    await this.#permits.take(signal);
    try {
      return await work();
    } finally {
      this.#permits.offer(undefined);
    }
  }
}

/** Runs `work` over `items` with at most `max` at once. The first failure stops the taking of further items and is thrown once all running ones have ended. */
export async function forEachLimited<T>(
  items: Iterable<T> | AsyncIterable<T>,
  max: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const running = new Set<Promise<void>>();
  const failures: unknown[] = [];
  for await (const item of items) {
    const run: Promise<void> = work(item)
      .catch((error: unknown) => void failures.push(error))
      .finally(() => running.delete(run));
    running.add(run);
    if (running.size >= max) await Promise.race(running);
    if (failures.length > 0) break;
  }
  await Promise.all(running);
  if (failures.length > 0) throw failures[0];
}
