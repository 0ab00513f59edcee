import { type Clock, systemClock } from '../lib/clock.ts';

/** How far back the rate looks. */
const windowMs = 10_000;
/** Samples kept for the rate, at most one per this many milliseconds. */
const sampleMs = 500;

export interface ProgressReport {
  readonly bytes: number;
  readonly totalBytes?: number;
  /** Over the last ten seconds. */
  readonly bytesPerSecond: number;
  /** Where the total is known and something moves. */
  readonly secondsRemaining?: number;
}

interface Sample {
  readonly atMs: number;
  readonly bytes: number;
}

/** Counts bytes done, by increments, and how fast they come. */
export class Progress {
  readonly #clock: Clock;
  readonly #startMs: number;
  readonly #samples: Sample[];
  #bytes = 0;
  #totalBytes: number | undefined;

  constructor(options: { readonly totalBytes?: number; readonly clock?: Clock } = {}) {
    this.#clock = options.clock ?? systemClock;
    this.#totalBytes = options.totalBytes;
    this.#startMs = this.#clock.monotonicMs();
    this.#samples = [{ atMs: this.#startMs, bytes: 0 }];
  }

  /** Less than nothing where work is done again. */
  add(bytes: number): void {
    this.#bytes += bytes;
    const atMs = this.#clock.monotonicMs();
    const last = this.#samples.at(-1) as Sample;
    if (atMs - last.atMs >= sampleMs) this.#samples.push({ atMs, bytes: this.#bytes });
    while ((this.#samples[1]?.atMs ?? Number.POSITIVE_INFINITY) <= atMs - windowMs) this.#samples.shift();
  }

  set totalBytes(bytes: number) {
    this.#totalBytes = bytes;
  }

  report(): ProgressReport {
    const bytesPerSecond = this.#rate();
    const total = this.#totalBytes;
    const remaining = total === undefined || bytesPerSecond <= 0 ? undefined : Math.max(0, total - this.#bytes) / bytesPerSecond;
    return {
      bytes: this.#bytes,
      bytesPerSecond,
      ...(total === undefined ? {} : { totalBytes: total }),
      ...(remaining === undefined ? {} : { secondsRemaining: remaining }),
    };
  }

  /** Seconds since the start. */
  elapsedSeconds(): number {
    return (this.#clock.monotonicMs() - this.#startMs) / 1000;
  }

  #rate(): number {
    const nowMs = this.#clock.monotonicMs();
    const since = this.#samples.find((sample) => sample.atMs >= nowMs - windowMs) ?? this.#samples.at(-1);
    const seconds = since === undefined ? 0 : (nowMs - since.atMs) / 1000;
    return since === undefined || seconds <= 0 ? 0 : Math.max(0, this.#bytes - since.bytes) / seconds;
  }
}
