import type { WalActivity } from '../../catalog/wal-index/wal-activity.ts';
import type { Clock } from '../../lib/clock.ts';

/** Rows of all activities together: some 24 bytes each. */
const rowsMax = 400_000;
const entriesMax = 8192;

/** What was read of the WAL, by name: what was used last stays. */
export class ActivityCache {
  readonly #clock: Clock;
  readonly #activities = new Map<string, WalActivity>();
  #rows = 0;
  /** When it was found not to be there. */
  readonly #missing = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get(name: string): WalActivity | undefined {
    const found = this.#activities.get(name);
    if (found === undefined) return undefined;
    this.#activities.delete(name);
    this.#activities.set(name, found);
    return found;
  }

  /** False: that it is not there was seen no longer ago than this. */
  mayRead(name: string, againMs: number): boolean {
    return this.#clock.monotonicMs() - (this.#missing.get(name) ?? Number.NEGATIVE_INFINITY) >= againMs;
  }

  /** `names`: of what was to be read. */
  add(names: readonly string[], read: ReadonlyMap<string, WalActivity>): void {
    for (const name of names) {
      const activity = read.get(name);
      this.#missing.delete(name);
      if (activity === undefined) this.#missing.set(name, this.#clock.monotonicMs());
      else {
        this.#activities.set(name, activity);
        this.#rows += rowsOf(activity);
      }
    }
    for (const [name, activity] of this.#activities) {
      if (this.#rows <= rowsMax && this.#activities.size <= entriesMax) break;
      this.#activities.delete(name);
      this.#rows -= rowsOf(activity);
    }
    for (const name of this.#missing.keys()) {
      if (this.#missing.size <= entriesMax) break;
      this.#missing.delete(name);
    }
  }
}

function rowsOf({ minutes, restorePoints }: WalActivity): number {
  return 1 + minutes.length + restorePoints.length;
}
