import type { Clock } from '../../src/lib/clock.ts';

interface Sleeper {
  readonly wakeMs: number;
  readonly wake: () => void;
}

const startMs = Date.parse('2026-11-22T00:00:00Z');
/** Rounds of the event loop after which whatever can go on without time passing has gone on. */
const settlingTurns = 8;

/** Time that passes as fast as the work in it allows: it jumps to the next sleeper once nothing else can go on. */
export class SimulatedClock implements Clock {
  #ms = 0;
  #sleepers: Sleeper[] = [];

  now = () => new Date(startMs + this.#ms);
  monotonicMs = () => this.#ms;

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const sleeper = { wakeMs: this.#ms + ms, wake: resolve };
      this.#sleepers.push(sleeper);
      const leave = () => {
        this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
        reject(signal?.reason as Error);
      };
      signal?.addEventListener('abort', leave, { once: true });
    });
  }

  /** Lets time pass until `work` has ended. Rejects where it waits for something that no time brings. */
  async run<T>(work: Promise<T>): Promise<T> {
    let ended = false;
    const end = () => void (ended = true);
    work.then(end, end);
    for (;;) {
      await settle();
      if (ended) return work;
      const next = this.#sleepers.toSorted((a, b) => a.wakeMs - b.wakeMs)[0];
      if (next === undefined) throw new Error('nobody sleeps, and the work has not ended');
      this.#sleepers = this.#sleepers.filter((other) => other !== next);
      this.#ms = Math.max(this.#ms, next.wakeMs);
      next.wake();
    }
  }
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < settlingTurns; turn++) await new Promise((resolve) => setImmediate(resolve));
}
