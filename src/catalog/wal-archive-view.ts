import type { TimelineSwitch } from '../postgres/timeline-history.ts';
import type { WalRanges } from './wal-ranges.ts';

/** A timeline history that is stored. */
export interface StoredHistory {
  /** Ancestors, oldest first; undefined where nobody here can read it. */
  readonly switches: readonly TimelineSwitch[] | undefined;
  readonly since: Date;
}

/** Up to where WAL is known to have been finished, from elsewhere than the store. */
export interface Reached {
  /** The first segment of which that is not known. */
  readonly end: bigint;
  readonly since: Date;
}

/** What a site's archive holds of the WAL. */
export interface WalArchiveView {
  readonly segmentBytes: number;
  readonly ranges: WalRanges;
  /** By timeline. */
  readonly histories: ReadonlyMap<number, StoredHistory>;
  /** By timeline. */
  readonly reached: ReadonlyMap<number, Reached>;
}

/** The timelines whose histories a recovery reads from a base backup on one timeline to another: PostgreSQL tries each number in turn, up to the first that is missing. */
export function* historiesBetween(from: number, to: number): Generator<number> {
  for (let timeline = from + 1; timeline <= to; timeline++) yield timeline;
}
