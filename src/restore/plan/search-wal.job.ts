import type { WalIndexSource } from '../../catalog/wal-index/read-small-object.ts';
import { defineJob } from '../../codec/job.ts';
import type { Lsn } from '../../postgres/lsn.ts';
import { type FoundPlaces, findPlaces, type Sought } from './find-places.ts';
import { type NearCommits, nearCommits } from './near-commits.ts';
import type { WalWay } from './wal-way.ts';
import { WayIndexes } from './way-indexes.ts';

interface SearchInput {
  readonly source: WalIndexSource;
  readonly way: WalWay;
}

export interface PlacesInput extends SearchInput {
  readonly sought: Sought;
  /** See {@link findPlaces}. */
  readonly noneFrom?: bigint | undefined;
}

/** Where recovery comes to a target that is no position. Throws as `readWalIndex`. */
export const searchPlaces = defineJob(
  import.meta.url,
  'searchPlaces',
  ({ source, way, sought, noneFrom }: PlacesInput, { signal }): Promise<FoundPlaces> =>
    findPlaces(new WayIndexes(source, way, signal), sought, noneFrom),
);

/** The commits around a position. Throws as `readWalIndex`. */
export const searchCommits = defineJob(
  import.meta.url,
  'searchCommits',
  ({ source, way, lsn, isIncluded }: SearchInput & { readonly lsn: Lsn; readonly isIncluded: boolean }, { signal }): Promise<NearCommits> =>
    nearCommits(new WayIndexes(source, way, signal), lsn, isIncluded),
);
