import { type BasebackupEntry, holdsItsWal } from '../catalog/basebackup-entry.ts';
import { forEachLimited } from '../lib/limiter.ts';
import type { RetainableBackup } from './decide.ts';
import { type WalDoubt, walDoubtOf } from './missing-wal.ts';
import { type HistoryDeps, storedHistories } from './stored-histories.ts';

/** Each costs a listing of the WAL that it needs. */
const looksMax = 4;

export function retainable(
  entry: BasebackupEntry,
  known: { readonly preserved?: ReadonlyMap<string, Date>; readonly doubts?: ReadonlyMap<string, WalDoubt> } = {},
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
    ...wordsFor(known.doubts?.get(name)),
  };
}

/** What keeps base backups from counting as ones that can be restored, by name. */
export async function walDoubtsOf(entries: readonly BasebackupEntry[], deps: HistoryDeps): Promise<ReadonlyMap<string, WalDoubt>> {
  const looking = { signal: deps.signal, readHistory: storedHistories(deps) };
  const doubts = new Map<string, WalDoubt>();
  await forEachLimited(entries, looksMax, async (entry) => {
    const doubt = await walDoubtOf(entry, entries, deps.catalog, looking);
    if (doubt !== undefined) doubts.set(entry.name, doubt);
  });
  return doubts;
}

function wordsFor(doubt: WalDoubt | undefined): Pick<RetainableBackup, 'flaw' | 'doubt'> {
  switch (doubt?.kind) {
    case 'missing':
      return { flaw: `it needs WAL ${doubt.segment}, which is not stored (yet)` };
    case 'end-unknown':
      return { doubt: 'it does not tell where its WAL ends, and no newer base backup of a primary proves that all of it is stored' };
    case undefined:
      return {};
  }
}
