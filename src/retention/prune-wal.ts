import type { Catalog } from '../catalog/catalog.ts';
import { parseBeginningName } from '../catalog/wal-beginning.ts';
import { forEachLimited } from '../lib/limiter.ts';
import { classifyWalFile } from '../postgres/wal-name.ts';
import type { ObjectInfo } from '../storage/object-store.ts';
import { isWalNeeded } from './decide.ts';

/** Deletions at once. */
const deletionsMax = 8;

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
}

/**
 * Deletes segments, partial segments and beginnings of segments below a position (as `decideRetention` tells it), on every timeline. History files stay: they are tiny
 * and tell where timelines meet. What is no WAL file by its name is not touched. Can be interrupted and repeated.
 */
export async function pruneWal(catalog: Catalog, walNeededFrom: string, options: WalPruneOptions): Promise<PrunedWal> {
  const { signal, dryRun = false, onFile = () => {} } = options;
  let files = 0;
  let bytes = 0;
  await forEachLimited(unneededWal(catalog, walNeededFrom, signal), deletionsMax, async (file) => {
    onFile(file);
    if (!dryRun) await catalog.store.delete(file.key, { signal });
    files++;
    bytes += file.size;
  });
  return { files, bytes };
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
