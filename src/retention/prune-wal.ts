import type { Catalog } from '../catalog/catalog.ts';
import { parseBeginningName } from '../catalog/wal-beginning.ts';
import { inBatches } from '../lib/in-batches.ts';
import { classifyWalFile } from '../postgres/wal-name.ts';
import { addLocked, type LockedSummary, noneLocked, summaryOfLocked } from '../storage/delete-many.ts';
import { deleteManyMax, type ObjectInfo } from '../storage/object-store.ts';
import { isWalNeeded } from './decide.ts';

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

/**
 * Deletes segments, partial segments and beginnings of segments below a position (as `decideRetention` tells it), on every timeline. History files stay: they are tiny
 * and tell where timelines meet. What is no WAL file by its name is not touched. Can be interrupted and repeated.
 */
export async function pruneWal(catalog: Catalog, walNeededFrom: string, options: WalPruneOptions): Promise<PrunedWal> {
  const { signal, dryRun = false, onFile = () => {} } = options;
  let pruned: PrunedWal = { files: 0, bytes: 0, locked: noneLocked };
  for await (const batch of inBatches(unneededWal(catalog, walNeededFrom, signal), deleteManyMax)) {
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

async function* unneededWal(catalog: Catalog, walNeededFrom: string, signal: AbortSignal): AsyncGenerator<ObjectInfo> {
  for (const prefix of [catalog.keys.walPrefix, catalog.keys.walPartialPrefix]) {
    for await (const file of catalog.store.list(prefix, { signal })) {
      const segment = segmentOf(file.key.slice(prefix.length));
      if (segment !== undefined && !isWalNeeded(segment, walNeededFrom)) yield file;
    }
  }
}

/** Of what is stored the segment that it is, or a part of it; undefined for anything else. */
function segmentOf(name: string): string | undefined {
  const kind = classifyWalFile(name);
  return kind === 'segment' || kind === 'partial' ? name.slice(0, 24) : parseBeginningName(name)?.segment;
}
