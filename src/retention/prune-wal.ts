import type { Catalog } from '../catalog/catalog.ts';
import { inBatches } from '../lib/in-batches.ts';
import { addLocked, type LockedSummary, noneLocked, summaryOfLocked } from '../storage/delete-many.ts';
import { deleteManyMax, type ObjectInfo } from '../storage/object-store.ts';
import { storedWal, verdictOn } from './survey-wal.ts';
import type { WalNeeds } from './wal-need.ts';

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

/** Deletes segments, partial segments and beginnings of segments that nothing needs, on every timeline. Can be interrupted and repeated. */
export async function pruneWal(catalog: Catalog, needs: WalNeeds, options: WalPruneOptions): Promise<PrunedWal> {
  const { signal, dryRun = false, onFile = () => {} } = options;
  let pruned: PrunedWal = { files: 0, bytes: 0, locked: noneLocked };
  for await (const batch of inBatches(unneededWal(catalog, needs, signal), deleteManyMax)) {
    for (const file of batch) onFile(file);
    const keys = batch.map(({ key }) => key);
    const locked = dryRun ? [] : await catalog.store.deleteMany(keys, { signal });
    const stayed = new Set(locked.map(({ key }) => key));
    const gone = batch.filter(({ key }) => !stayed.has(key));
    const bytes = gone.reduce((sum, { size }) => sum + size, pruned.bytes);
    pruned = { files: pruned.files + gone.length, bytes, locked: addLocked(pruned.locked, summaryOfLocked(locked)) };
  }
  return pruned;
}

async function* unneededWal(catalog: Catalog, needs: WalNeeds, signal: AbortSignal): AsyncGenerator<ObjectInfo> {
  for await (const file of storedWal(catalog, signal)) if (!verdictOn(file, needs).stays) yield file;
}
