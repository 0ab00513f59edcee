import { formatLsn } from '../../postgres/lsn.ts';
import type { WalIndex } from './wal-index.ts';

export interface RestorePointPlace {
  readonly name: string;
  /** As PostgreSQL writes it. */
  readonly lsn: string;
  /** Milliseconds since 1970 by the server's clock. */
  readonly timeMs: number;
}

/** What happened in some segments of a timeline, by the minute. Columns: the same index is the same minute. Plain data. */
export interface WalActivity {
  /** Since 1970 by the server's clock, ascending. */
  readonly minutes: readonly number[];
  readonly commits: readonly number[];
  /** Of transactions and of subtransactions. */
  readonly aborts: readonly number[];
  /** In the order of the WAL. */
  readonly restorePoints: readonly RestorePointPlace[];
}

const microsecondsPerMinute = 60_000_000;
/** A clock that jumps to and fro might name very many. */
const minutesMax = 65_536;
const restorePointsMax = 1000;

/** Adds up indexes, as `WalIndexJoiner` joins them. */
export class ActivityCounter {
  readonly #byMinute = new Map<number, [commits: number, aborts: number]>();
  #restorePoints: RestorePointPlace[] = [];
  #segments = 0;

  get segments(): number {
    return this.#segments;
  }

  get activity(): WalActivity {
    const rows = [...this.#byMinute].toSorted(([a], [b]) => a - b);
    return {
      minutes: rows.map(([minute]) => minute),
      commits: rows.map(([, [commits]]) => commits),
      aborts: rows.map(([, [, aborts]]) => aborts),
      restorePoints: this.#restorePoints,
    };
  }

  /** Where not all transactions are listed, each listed one stands for those up to the next. */
  add({ startLsn, commits, aborts, every, transactions: { times, outcomes }, restorePoints }: WalIndex): void {
    this.#segments++;
    let left = commits + aborts;
    for (const [at, time] of times.entries()) {
      const count = at === times.length - 1 ? left : Math.min(every, left);
      left -= count;
      const outcome = outcomes[at];
      this.#count(
        Math.max(0, Math.floor(time / microsecondsPerMinute)),
        outcome === 'commit' || outcome === 'commit-prepared' ? 0 : 1,
        count,
      );
    }
    for (const { name, offset, time } of restorePoints) {
      this.#restorePoints.push({ name, lsn: formatLsn(startLsn + BigInt(offset)), timeMs: Math.floor(time / 1000) });
    }
    if (this.#restorePoints.length > restorePointsMax) this.#restorePoints = this.#restorePoints.slice(-restorePointsMax);
  }

  #count(minute: number, column: 0 | 1, count: number): void {
    const row = this.#byMinute.get(minute) ?? [0, 0];
    row[column] += count;
    if (this.#byMinute.size < minutesMax || this.#byMinute.has(minute)) this.#byMinute.set(minute, row);
  }
}

/** The minutes between which all of it lies, both included; undefined where nothing happened. */
export function minutesOf({ minutes, restorePoints }: WalActivity): { readonly from: number; readonly to: number } | undefined {
  const points = restorePoints.map(({ timeMs }) => Math.max(0, Math.floor(timeMs / 60_000)));
  const ends = [...minutes.slice(0, 1), ...minutes.slice(-1), ...points];
  return ends.length === 0 ? undefined : { from: Math.min(...ends), to: Math.max(...ends) };
}
