import type { BasebackupEntry } from '../catalog/basebackup-entry.ts';
import type { Catalog } from '../catalog/catalog.ts';
import { forEachLimited } from '../lib/limiter.ts';
import type { RetainableBackup } from './decide.ts';
import { holdsItsWal, missingWalOf } from './missing-wal.ts';

/** Each costs a listing of the WAL that it needs. */
const looksMax = 4;

export function retainable(
  entry: BasebackupEntry,
  known: { readonly preserved?: ReadonlyMap<string, Date>; readonly flaws?: ReadonlyMap<string, string> } = {},
): RetainableBackup {
  const { name, startTime, endTime, lastModified: completed, startWalSegment, endWalSegment } = entry;
  return {
    name,
    startTime,
    endTime,
    completed,
    startWalSegment,
    endWalSegment,
    holdsItsWal: holdsItsWal(entry),
    preservedUntil: known.preserved?.get(name),
    flaw: known.flaws?.get(name),
  };
}

/** Why base backups cannot be restored, by name. */
export async function flawsOf(
  entries: readonly BasebackupEntry[],
  catalog: Catalog,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const flaws = new Map<string, string>();
  await forEachLimited(entries, looksMax, async (entry) => {
    const missing = await missingWalOf(entry, catalog, signal);
    if (missing !== undefined) flaws.set(entry.name, `it needs WAL ${missing}, which is not stored (yet)`);
  });
  return flaws;
}
