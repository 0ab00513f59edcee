import { joinStoredIndexes } from '../../catalog/wal-index/join-stored-indexes.ts';
import type { WalIndexSource } from '../../catalog/wal-index/read-small-object.ts';
import { type SealedWalIndex, sealWalRollup } from '../../catalog/wal-index/seal-wal-index.ts';
import { ActivityCounter } from '../../catalog/wal-index/wal-activity.ts';
import { rollupName } from '../../catalog/wal-index/wal-rollup.ts';
import { defineJob } from '../../codec/job.ts';

export interface MakeWalRollupInput {
  readonly source: WalIndexSource;
  readonly segmentBytes: number;
  /** Of segments of one timeline, ascending. */
  readonly names: readonly string[];
  /** PEM, where what the site stores is encrypted. */
  readonly publicKey: string | undefined;
}

export interface MadeWalRollup {
  readonly name: string;
  readonly rollup: SealedWalIndex;
}

/** Reads the indexes of these segments, and tells what they tell together; undefined where none can be read. Throws as `readSmallObject`. */
export const makeWalRollup = defineJob(
  import.meta.url,
  'makeWalRollup',
  async ({ source, segmentBytes, names, publicKey }: MakeWalRollupInput, { signal, report }): Promise<MadeWalRollup | undefined> => {
    const counter = new ActivityCounter();
    let [first, last] = ['', ''];
    for await (const { name, index } of joinStoredIndexes(source, names, segmentBytes, signal)) {
      report(1);
      if (index === undefined) continue;
      counter.add(index);
      first ||= name;
      last = name;
    }
    const { segments, activity } = counter;
    if (segments === 0) return undefined;
    const rollup = { first, last, segments, activity };
    return { name: rollupName(rollup), rollup: await sealWalRollup(rollup, publicKey) };
  },
);
