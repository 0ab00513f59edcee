import type { WalRanges } from '../../catalog/wal-ranges.ts';
import { formatWalName } from '../../postgres/wal-name.ts';

/** Names of the segments that are stored, but not indexed: newest timeline first, and of each the newest first. */
export function* missingIndexes(stored: WalRanges, indexed: WalRanges, segmentBytes: number): Generator<string> {
  for (const timeline of stored.timelines.toReversed()) {
    const done = indexed.of(timeline).toReversed();
    let at = 0;
    for (const { first, last } of stored.of(timeline).toReversed()) {
      for (let number = last; number >= first; number--) {
        while ((done[at]?.first ?? -1n) > number) at++;
        const covering = done[at];
        if (covering !== undefined && number <= covering.last) number = covering.first;
        else yield formatWalName({ timeline, number }, segmentBytes);
      }
    }
  }
}
