import type { Clock } from '../../src/lib/clock.ts';

interface Sleeper {
  readonly atMs: number;
  readonly turn: number;
  readonly wake: () => void;
  isGone: boolean;
}

/** Half of what lets a lease of an hour run out. */
const longMs = 10 * 60_000;
const longStepMs = 20 * 60_000;

/** Time that passes as fast as the work in it allows. Whoever sleeps is woken in the order of time, and time stands still until nobody can go on without it. */
export class YearClock {
  /** All short sleeping ends at multiples of this: what looks every second would else take most of a year. */
  stepMs: number;
  readonly #beganMs: number;
  #ms = 0;
  /** The next one last. */
  readonly #sleepers: Sleeper[] = [];
  #busy = 0;
  turns = 0;

  constructor(beganAt: Date, stepMs: number) {
    this.#beganMs = beganAt.getTime();
    this.stepMs = stepMs;
  }

  /** Since the beginning. */
  get ms(): number {
    return this.#ms;
  }

  /** As it is in truth. */
  get now(): Date {
    return new Date(this.#beganMs + this.#ms);
  }

  wakeIn(ms: number, wake: () => void): Sleeper {
    const stepMs = ms < longMs ? this.stepMs : Math.min(this.stepMs, longStepMs);
    const atMs = Math.ceil((this.#ms + Math.max(ms, 1)) / stepMs) * stepMs;
    const sleeper = { atMs, turn: turnOf(ms), wake, isGone: false };
    let [low, high] = [0, this.#sleepers.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#sleepers[middle]?.atMs ?? 0) > atMs) low = middle + 1;
      else high = middle;
    }
    this.#sleepers.splice(low, 0, sleeper);
    return sleeper;
  }

  /** Does something that takes no time, in however many turns of the event loop: time stands still until it has ended. */
  async atOnce<T>(work: () => Promise<T>): Promise<T> {
    this.#busy++;
    try {
      return await work();
    } finally {
      this.#busy--;
    }
  }

  /** Lets time pass, with all that happens in it. `onTurn`: called each time that it has moved, before anybody is woken. */
  async passUntil(untilMs: number, onTurn: () => Promise<void> | void): Promise<void> {
    await this.#settle();
    for (;;) {
      const next = this.#sleepers.at(-1);
      if (next === undefined || next.atMs > untilMs) break;
      this.turns++;
      this.#ms = Math.max(this.#ms, next.atMs);
      await onTurn();
      await this.#wakeAll();
    }
    this.#ms = Math.max(this.#ms, untilMs);
    await onTurn();
    await this.#settle();
  }

  /** Resolves once nothing goes on any more without time passing: nothing here waits for anything outside of JavaScript, and little for the next turn of the event loop. */
  async #settle(): Promise<void> {
    for (let quiet = 0; quiet < 2; ) {
      await new Promise((resolve) => setImmediate(resolve));
      quiet = this.#busy > 0 ? 0 : quiet + 1;
    }
  }

  async #wakeAll(): Promise<void> {
    const due: Sleeper[] = [];
    for (let last = this.#sleepers.at(-1); last !== undefined && last.atMs <= this.#ms; last = this.#sleepers.at(-1)) {
      this.#sleepers.pop();
      due.push(last);
    }
    for (let turn = 0; turn < turns; turn++) {
      for (const sleeper of due) if (sleeper.turn === turn && !sleeper.isGone) sleeper.wake();
      await this.#settle();
    }
  }
}

const turns = 3;

/** What is known of servers counts as fresh for a minute: who asks them goes first, who notes what they said second. */
function turnOf(ms: number): number {
  return ms === 3_000 ? 0 : ms === 1_000 ? 1 : 2;
}

/** The clock of a host: it may be wrong, and the process on it may be stopped or killed. */
export class HostClock implements Clock {
  /** How far the clock on the wall is ahead of the truth. */
  wrongByMs = 0;
  isDead = false;
  readonly #year: YearClock;
  #isStopped = false;
  readonly #waiting: (() => void)[] = [];

  constructor(year: YearClock) {
    this.#year = year;
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  now = () => new Date(this.#year.now.getTime() + this.wrongByMs);
  monotonicMs = () => this.#year.ms;

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(signal.reason as Error);
      const wake = () => {
        signal?.removeEventListener('abort', leave);
        if (this.isDead) return;
        if (this.#isStopped) this.#waiting.push(resolve);
        else resolve();
      };
      const sleeper = this.#year.wakeIn(ms, wake);
      const leave = () => {
        sleeper.isGone = true;
        reject(signal?.reason as Error);
      };
      signal?.addEventListener('abort', leave, { once: true });
    });
  }

  /** As SIGSTOP does; time goes on. */
  stop(): void {
    this.#isStopped = true;
  }

  goOn(): void {
    this.#isStopped = false;
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
