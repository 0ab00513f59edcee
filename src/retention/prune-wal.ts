import type { Catalog } from '../catalog/catalog.ts';
import { parseRollupName } from '../catalog/wal-index/wal-rollup.ts';
import { inBatches } from '../lib/in-batches.ts';
import { addLocked, type LockedSummary, noneLocked, summaryOfLocked } from '../storage/delete-many.ts';
import { deleteManyMax, type ObjectInfo } from '../storage/object-store.ts';
import { type StoredWalFile, verdictOn, walUnder } from './survey-wal.ts';
import type { WalNeeds } from './wal-need.ts';
import { segmentsWithIndexes } from './with-indexes.ts';

export interface WalPruneOptions {
  readonly signal: AbortSignal;
  /** Only looks. */
  readonly dryRun?: boolean;
  /** Told of each file that goes, or would go, before it does. */
  readonly onFile?: (file: ObjectInfo) => void;
}

export interface PrunedWal {
  readonly files: number;
  /** As stored. */
  readonly bytes: number;
  /** What locks keep; it is not counted in the others. */
  readonly locked: LockedSummary;
}

interface Unneeded extends ObjectInfo {
  /** Of segments, and not WAL itself. */
  readonly isIndex: boolean;
}

/**
 * Deletes segments, partial segments and beginnings of segments that nothing needs, on every timeline, and with them their indexes, and what is told of many segments together once
 * the last of them goes; these are not counted. An index goes ahead of its segment, so that none is left alone. Can be interrupted and repeated.
 */
export async function pruneWal(catalog: Catalog, needs: WalNeeds, options: WalPruneOptions): Promise<PrunedWal> {
  const { signal, dryRun = false, onFile = () => {} } = options;
  let pruned: PrunedWal = { files: 0, bytes: 0, locked: noneLocked };
  for await (const batch of inBatches(unneeded(catalog, needs, signal), deleteManyMax)) {
    for (const file of batch) if (!file.isIndex) onFile(file);
    const keys = batch.map(({ key }) => key);
    const locked = dryRun ? [] : await catalog.store.deleteMany(keys, { signal });
    const stayed = new Set(locked.map(({ key }) => key));
    const gone = batch.filter(({ key, isIndex }) => !isIndex && !stayed.has(key));
    const bytes = gone.reduce((sum, { size }) => sum + size, pruned.bytes);
    pruned = { files: pruned.files + gone.length, bytes, locked: addLocked(pruned.locked, summaryOfLocked(locked)) };
  }
  return pruned;
}

async function* unneeded(catalog: Catalog, needs: WalNeeds, signal: AbortSignal): AsyncGenerator<Unneeded> {
  for await (const { file, index } of segmentsWithIndexes(catalog, signal)) {
    const judged = file ?? index;
    if (judged === undefined || verdictOn(judged, needs).stays) continue;
    if (index !== undefined) yield { ...index, isIndex: true };
    if (file !== undefined) yield { ...file, isIndex: false };
  }
  for await (const rollup of rollupsOf(catalog, signal)) if (!verdictOn(rollup, needs).stays) yield { ...rollup, isIndex: true };
  for await (const file of walUnder(catalog.keys.walPartialPrefix, catalog, signal)) {
    if (!verdictOn(file, needs).stays) yield { ...file, isIndex: false };
  }
}

/** Each goes with the last segment of which it tells. */
async function* rollupsOf({ store, keys }: Catalog, signal: AbortSignal): AsyncGenerator<StoredWalFile> {
  for await (const info of store.list(keys.walRollupPrefix, { signal })) {
    const name = info.key.slice(keys.walRollupPrefix.length);
    const parsed = parseRollupName(name);
    if (parsed !== undefined) yield { ...info, name, segment: parsed.last };
  }
}
