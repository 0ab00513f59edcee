import type { TransactionOutcome } from '../../postgres/wal-records/wal-record-sink.ts';
import type { TransactionColumns, TransactionTimes } from './wal-index.ts';

/** Commits and aborts as they come: all of them up to a number, then every second one, every fourth one, and so on. */
export class TransactionList {
  readonly offsets: number[] = [];
  readonly times: number[] = [];
  readonly xids: number[] = [];
  readonly outcomes: TransactionOutcome[] = [];
  #every = 1;
  #count = 0;
  #first = 0;
  #last = 0;
  #earliest = Number.POSITIVE_INFINITY;
  #latest = Number.NEGATIVE_INFINITY;

  get every(): number {
    return this.#every;
  }

  get span(): TransactionTimes | undefined {
    if (this.#count === 0) return undefined;
    return { first: this.#first, last: this.#last, earliest: this.#earliest, latest: this.#latest };
  }

  get columns(): TransactionColumns {
    return { offsets: this.offsets, times: this.times, xids: this.xids, outcomes: this.outcomes };
  }

  add(outcome: TransactionOutcome, offset: number, time: number, xid: number, max: number): void {
    if (this.#count === 0) this.#first = time;
    this.#last = time;
    if (time < this.#earliest) this.#earliest = time;
    if (time > this.#latest) this.#latest = time;
    if (this.#count++ % this.#every !== 0) return;
    if (this.offsets.length >= max) this.#thin();
    if ((this.#count - 1) % this.#every !== 0) return;
    this.offsets.push(offset);
    this.times.push(time);
    this.xids.push(xid);
    this.outcomes.push(outcome);
  }

  #thin(): void {
    for (const column of [this.offsets, this.times, this.xids, this.outcomes]) {
      for (let at = 0; 2 * at < column.length; at++) column[at] = column[2 * at] as never;
      column.length = Math.ceil(column.length / 2);
    }
    this.#every *= 2;
  }
}
