import { SiteKeys } from '../../catalog/keys.ts';
import { joinStoredIndexes } from '../../catalog/wal-index/join-stored-indexes.ts';
import { readSmallObject, type WalIndexSource } from '../../catalog/wal-index/read-small-object.ts';
import { ActivityCounter, type WalActivity } from '../../catalog/wal-index/wal-activity.ts';
import { parseWalRollup } from '../../catalog/wal-index/wal-rollup.ts';
import { defineJob } from '../../codec/job.ts';
import { inOrder } from '../../lib/in-order.ts';

export interface ReadWalActivityInput {
  readonly source: WalIndexSource;
  readonly segmentBytes: number;
  /** Names of what many indexes tell together. */
  readonly rollups: readonly string[];
  /** Names of segments, ascending. */
  readonly segments: readonly string[];
}

/** By name; what cannot be read is absent. */
export type ReadWalActivity = readonly (readonly [name: string, activity: WalActivity])[];

const readAheadMax = 4;

/** Reads from the store what happened in the WAL. Throws as `readSmallObject`. */
export const readWalActivity = defineJob(
  import.meta.url,
  'readWalActivity',
  async ({ source, segmentBytes, rollups, segments }: ReadWalActivityInput, { signal }): Promise<ReadWalActivity> => {
    const keys = new SiteKeys(source.prefix);
    const found: (readonly [string, WalActivity])[] = [];
    const read = async (name: string) => ({ name, rollup: await readSmallObject(source, keys.walRollup(name), parseWalRollup, signal) });
    for await (const { name, rollup } of inOrder(rollups, read, readAheadMax)) if (rollup) found.push([name, rollup.activity]);
    for await (const { name, index } of joinStoredIndexes(source, segments, segmentBytes, signal)) {
      if (index === undefined) continue;
      const counter = new ActivityCounter();
      counter.add(index);
      found.push([name, counter.activity]);
    }
    return found;
  },
);
