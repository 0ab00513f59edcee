import type { Catalog } from '../catalog/catalog.ts';
import { isOperatorError } from '../lib/errors.ts';
import type { TimelineSwitch } from '../postgres/timeline-history.ts';
import { historyNameOf } from '../postgres/wal-name.ts';
import type { ManifestAccess } from './delta-references.ts';
import { readHistory } from './read-history.job.ts';

/** How a timeline descends from others; undefined where its history is not stored, or cannot be read here: its private key may be elsewhere. */
export type HistoryReader = (timeline: number) => Promise<readonly TimelineSwitch[] | undefined>;

export interface HistoryDeps {
  readonly catalog: Catalog;
  readonly manifests?: ManifestAccess | undefined;
  readonly signal: AbortSignal;
}

/** Reads histories from the store. What a store does not answer is thrown. */
export function storedHistories({ catalog, manifests, signal }: HistoryDeps): HistoryReader {
  return async (timeline) => {
    if (manifests === undefined) return undefined;
    const { pool, storage, privateKeys } = manifests;
    try {
      return await pool.run(readHistory, { storage, privateKeys, key: catalog.walKey(historyNameOf(timeline)) }, { signal });
    } catch (error) {
      if (!isOperatorError(error) || error.retryable) throw error;
      return undefined;
    }
  };
}
