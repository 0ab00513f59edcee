import type { Catalog } from '../../catalog/catalog.ts';
import { segmentBytesIn } from '../../catalog/wal-entry.ts';

/** Of the first segment that is stored; undefined where there is none, or its metadata does not tell. */
export async function sizeOfFirst(catalogs: readonly Catalog[], signal: AbortSignal): Promise<number | undefined> {
  for (const catalog of catalogs) {
    for await (const { name } of catalog.walFiles('segment', { signal })) return sizeOf(name, [catalog], signal);
  }
  return undefined;
}

/** Of a stored segment, in bytes. */
export async function sizeOf(name: string, catalogs: readonly Catalog[], signal: AbortSignal): Promise<number | undefined> {
  for (const catalog of catalogs) {
    const entry = await catalog.findWal(name, signal);
    if (entry !== undefined) return segmentBytesIn(entry);
  }
  return undefined;
}
