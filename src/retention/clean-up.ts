import type { BasebackupListing, Catalog } from '../catalog/catalog.ts';
import { OperatorError } from '../lib/errors.ts';
import { decideRetention, type RetentionRules } from './decide.ts';
import { type PrunedWal, pruneWal, type WalPruneOptions } from './prune-wal.ts';
import { retainable } from './retainable.ts';
import type { WalNeeds } from './wal-need.ts';

/** Later than all of them, as no rule asks for it. */
const anyTime = new Date(8.64e15);
const keepAll: RetentionRules = { countMax: undefined, ageDaysMax: undefined, countMin: 1, intervalHours: 0 };

/**
 * Deletes the WAL that lies before every base backup there is, such as what gaps and failed deletions of older versions left behind.
 * `movedFrom`: sites that the WAL of this one continues; their base backups need it too.
 *
 * Rejects, before anything is deleted, with `basebackup-missing` where there is no base backup at all, and with `basebackup-unreadable` where
 * there is something among them whose needs cannot be read.
 */
export async function cleanUpWal(catalog: Catalog, movedFrom: readonly Catalog[], options: WalPruneOptions): Promise<PrunedWal> {
  const listings = await Promise.all([catalog, ...movedFrom].map((each) => each.basebackups(options.signal)));
  return pruneWal(catalog, walNeededByAll(listings, catalog.store.name), options);
}

function walNeededByAll(listings: readonly BasebackupListing[], storeName: string): WalNeeds {
  const unreadable = listings.flatMap((listing) => listing.unreadable);
  if (unreadable.length > 0) {
    throw new OperatorError(
      'basebackup-unreadable',
      `nothing is deleted: which WAL is needed by ${unreadable.map(({ key }) => key).join(', ')}?`,
      {
        cause: new Error(unreadable.map(({ why }) => why).join('; ')),
        hint: 'If it is no base backup, move it away from there. If it was one, repair its metadata from a copy of the store.',
      },
    );
  }
  const backups = listings.flatMap(({ entries }) => entries.map((entry) => retainable(entry)));
  const { wal } = decideRetention(backups, keepAll, anyTime);
  if (wal !== undefined) return wal;
  throw new OperatorError('basebackup-missing', `nothing is deleted: there is no base backup in ${storeName}`, {
    hint: 'Without one it cannot be known which WAL a running base backup will need. Take one first.',
  });
}
