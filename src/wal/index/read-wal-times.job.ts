import type { WalIndexSource } from '../../catalog/wal-index/read-small-object.ts';
import { readWalIndex } from '../../catalog/wal-index/read-wal-indexes.ts';
import { defineJob } from '../../codec/job.ts';
import { formatWalName, parseWalName } from '../../postgres/wal-name.ts';

export interface ReadWalTimesInput {
  readonly source: WalIndexSource;
  readonly segmentBytes: number;
  /** Names of segments. */
  readonly names: readonly string[];
  /** How many segments before one that has no commits are looked at. */
  readonly backMax: number;
}

/** Milliseconds since 1970 by the server's clock; what is not known is absent. */
export interface SegmentTimes {
  /** Of the last transaction that ended in the segment, or in those before it. */
  readonly lastMs?: number;
  /** Where a timeline begins in the segment: when it did, and when the last transaction ended before that in the same segment. */
  readonly begunMs?: number;
  readonly beforeMs?: number;
}

/** Reads from the store what the indexes tell of the times of a few segments, and nothing of those that have none. Throws as `readWalIndex`. */
export const readWalTimes = defineJob(
  import.meta.url,
  'readWalTimes',
  async ({ source, segmentBytes, names, backMax }: ReadWalTimesInput, { signal }): Promise<readonly (SegmentTimes | undefined)[]> => {
    const found: (SegmentTimes | undefined)[] = [];
    for (const name of names) found.push(await timesOf(name, { source, segmentBytes, backMax }, signal));
    return found;
  },
);

async function timesOf(name: string, input: Omit<ReadWalTimesInput, 'names'>, signal: AbortSignal): Promise<SegmentTimes | undefined> {
  const { source, segmentBytes, backMax } = input;
  const { timeline, number } = parseWalName(name, segmentBytes);
  const first = await readWalIndex(source, name, signal);
  if (first === undefined) return undefined;
  const begin = first.timelineSwitches.find((change) => change.timeline === timeline);
  const before = begin && first.transactions.offsets.findLastIndex((offset) => offset < begin.offset);
  let last = first.times?.last;
  for (let back = 1n; last === undefined && back <= BigInt(backMax) && back <= number; back++) {
    const index = await readWalIndex(source, formatWalName({ timeline, number: number - back }, segmentBytes), signal);
    if (index === undefined) break;
    last = index.times?.last;
  }
  const committed = before === undefined ? undefined : first.transactions.times[before];
  return {
    ...(last !== undefined && { lastMs: inMs(last) }),
    ...(begin !== undefined && { begunMs: inMs(begin.time) }),
    ...(committed !== undefined && { beforeMs: inMs(committed) }),
  };
}

function inMs(microseconds: number): number {
  return Math.floor(microseconds / 1000);
}
