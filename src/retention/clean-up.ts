import type { BasebackupListing, Catalog } from '../catalog/catalog.ts';
import { OperatorError } from '../lib/errors.ts';
import { oldestPosition } from './decide.ts';
import { type PrunedWal, pruneWal, type WalPruneOptions } from './prune-wal.ts';

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

function walNeededByAll(listings: readonly BasebackupListing[], storeName: string): string {
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
  const position = oldestPosition(listings.flatMap((listing) => listing.entries));
  if (position !== undefined) return position;
  throw new OperatorError('basebackup-missing', `nothing is deleted: there is no base backup in ${storeName}`, {
    hint: 'Without one it cannot be known which WAL a running base backup will need. Take one first.',
  });
}
