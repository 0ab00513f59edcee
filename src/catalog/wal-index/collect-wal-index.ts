import { readRecord } from '../../postgres/wal-records/read-record.ts';
import { WalWalker } from '../../postgres/wal-records/wal-walker.ts';
import { CollectedEvents } from './collected-events.ts';
import { transactionsMax, type WalIndex } from './wal-index.ts';

/** Makes the index of a segment from its bytes, which come in pieces of any length. Nothing in them makes it fail. */
export class WalIndexCollector {
  readonly #walker: WalWalker;
  #events: CollectedEvents | undefined;

  /** `listedMax`: of commits and aborts; default: so many that the index stays small beside the segment. */
  constructor(listedMax?: number) {
    this.#walker = new WalWalker((record, { major, long }) => {
      this.#events ??= new CollectedEvents(listedMax ?? transactionsMax(long?.segmentBytes ?? 0));
      readRecord(record, Number(major), this.#events);
    });
  }

  /** Keeps nothing of `bytes`. */
  update(bytes: Uint8Array): void {
    this.#walker.update(bytes);
  }

  /** `name`: of the segment. Undefined where the bytes are none. */
  finish(name: string): WalIndex | undefined {
    const { header, continued, unfinished, end } = this.#walker.finish();
    if (header?.long === undefined) return undefined;
    const { major, pageAddress: startLsn, long } = header;
    const events = (this.#events ?? new CollectedEvents(0)).all;
    return { name, segmentBytes: long.segmentBytes, startLsn, major, ...events, continued, unfinished, end };
  }
}
