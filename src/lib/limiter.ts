import { nextToBegin, Urgency, type Urgent } from './urgency.ts';

interface Turn extends Urgent {
  readonly begin: () => void;
}

/**
 * Lets at most `max` pieces of work run at once; the others wait in the order they came. Urgent work overtakes what waits, and has one place more
 * where others than urgent ones take all of them. So has each party of which nothing runs, up to `spare` in all.
 */
export class Limiter {
  #max: number;
  readonly #spare: number;
  readonly #waiting: Turn[] = [];
  readonly #running = new Set<Turn>();

  constructor(max: number, spare = 0) {
    this.#max = max;
    this.#spare = spare;
  }

  get max(): number {
    return this.#max;
  }

  /** What runs goes on, also where it is more than may run from now on. */
  set max(max: number) {
    this.#max = max;
    this.#beginNext();
  }

  async run<T>(work: () => Promise<T>, signal?: AbortSignal, urgency: Urgency = new Urgency(false), party?: string): Promise<T> {
    const turn = await this.#turn({ urgency, party }, signal);
    try {
      return await work();
    } finally {
      this.#running.delete(turn);
      this.#beginNext();
    }
  }

  async #turn(work: Urgent, signal: AbortSignal | undefined): Promise<Turn> {
    signal?.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const turn: Turn = { ...work, begin: resolve };
    this.#waiting.push(turn);
    const leave = () => {
      const at = this.#waiting.indexOf(turn);
      if (at < 0) return;
      this.#waiting.splice(at, 1);
      reject(signal?.reason);
    };
    signal?.addEventListener('abort', leave, { once: true });
    const forget = work.urgency.onHurry(() => this.#beginNext());
    this.#beginNext();
    try {
      await promise;
    } finally {
      forget();
      signal?.removeEventListener('abort', leave);
    }
    return turn;
  }

  #beginNext(): void {
    for (;;) {
      const at = nextToBegin(this.#waiting, [...this.#running], this.#max, this.#spare);
      if (at === undefined) return;
      const [turn] = this.#waiting.splice(at, 1) as [Turn];
      this.#running.add(turn);
      turn.begin();
    }
  }
}

/**
 * Runs `work` over `items` with at most `max` at once. The first failure, of the work or of the items, stops the taking of further items and is thrown once all
 * running ones have ended.
 */
export async function forEachLimited<T>(
  items: Iterable<T> | AsyncIterable<T>,
  max: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const running = new Set<Promise<void>>();
  const failures: unknown[] = [];
  try {
    for await (const item of items) {
      const run: Promise<void> = work(item)
        .catch((error: unknown) => void failures.push(error))
        .finally(() => running.delete(run));
      running.add(run);
      if (running.size >= max) await Promise.race(running);
      if (failures.length > 0) break;
    }
  } finally {
    await Promise.all(running);
  }
  if (failures.length > 0) throw failures[0];
}
