import type { BasebackupEntry } from '../catalog/basebackup-entry.ts';
import type { Clock } from '../lib/clock.ts';

/** The newest base backup as the store dates it, and when it was seen first. */
interface Newest {
  readonly storedMs: number;
  readonly seenAtMs: number;
  /** It came while we looked, and then the clock on the wall was far from what the store said. */
  readonly isWallAhead: boolean;
}

/** Of the clocks of hosts and stores. */
const skewMsMax = 3_600_000;

/**
 * What time it is for the schedule. A clock on the wall that is wrong by days would have base backups taken one after the other: if it is behind, those that are there
 * lie in the future; if it is ahead, each is old as soon as it is complete. So it is compared with the newest base backup, which the store has dated, and the time that has passed since.
 */
export class ScheduleClock {
  readonly #clock: Clock;
  #newest: Newest | undefined;
  /** Of the last listing: on the clock that is never set. */
  #listedAtMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** To be called with each listing. */
  note(entries: readonly Pick<BasebackupEntry, 'lastModified'>[]): void {
    const storedMs = Math.max(...entries.map(({ lastModified }) => lastModified.getTime()));
    const seenAtMs = this.#clock.monotonicMs();
    // It may have come right after the last listing, and where the store could not be asked that is long ago.
    const unseenMs = seenAtMs - this.#listedAtMs;
    this.#listedAtMs = seenAtMs;
    if (entries.length === 0 || storedMs === this.#newest?.storedMs) return;
    const hasCome = this.#newest !== undefined && storedMs > this.#newest.storedMs;
    const isWallAhead = hasCome && this.#clock.now().getTime() - storedMs > unseenMs + skewMsMax;
    this.#newest = { storedMs, seenAtMs, isWallAhead };
  }

  now(): Date {
    const wall = this.#clock.now();
    if (this.#newest === undefined) return wall;
    const { storedMs, seenAtMs, isWallAhead } = this.#newest;
    const leastMs = storedMs + this.#clock.monotonicMs() - seenAtMs;
    const aheadMs = wall.getTime() - leastMs;
    return aheadMs < -skewMsMax || (aheadMs > skewMsMax && isWallAhead) ? new Date(leastMs) : wall;
  }
}
