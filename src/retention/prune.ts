import type { BasebackupEntry } from '../catalog/basebackup-entry.ts';
import type { BasebackupListing, Catalog } from '../catalog/catalog.ts';
import { preservedUntil } from '../catalog/preservation.ts';
import type { Log } from '../lib/log.ts';
import { decideRetention, type RetentionRules } from './decide.ts';
import { pruneWal } from './prune-wal.ts';

export interface PruneDeps {
  readonly catalog: Catalog;
  readonly log: Log;
  readonly signal: AbortSignal;
}

export interface PruneResult {
  /** Names of the base backups that went. */
  readonly basebackups: readonly string[];
  /** How many WAL files went. */
  readonly walFiles: number;
}

/** Looking for unneeded WAL lists all of it; between two backups there is seldom any. */
export type WalPruning = 'always' | 'if-a-backup-goes';

/**
 * Deletes the base backups that the rules let go and the WAL that no kept one needs. Can be interrupted and repeated at any point.
 * WAL stays as long as there is an object among the base backups whose needs cannot be read.
 */
export async function prune(
  listing: BasebackupListing,
  rules: RetentionRules,
  now: Date,
  deps: PruneDeps,
  walPruning: WalPruning = 'always',
): Promise<PruneResult> {
  const { doomed, walNeededFrom } = await decide(listing.entries, rules, now, deps);
  const byName = new Map(listing.entries.map((entry) => [entry.name, entry]));
  for (const { name, because } of doomed) {
    const entry = byName.get(name);
    if (entry === undefined) continue;
    deps.log.info({ basebackup: name }, `deleting the base backup: ${because}`);
    await deps.catalog.forgetBasebackup(entry, deps.signal);
  }
  const basebackups = doomed.map(({ name }) => name);
  const walMayGo = listing.unreadable.length === 0 && (walPruning === 'always' || basebackups.length > 0);
  if (walNeededFrom === undefined || !walMayGo) return { basebackups, walFiles: 0 };
  const { files, bytes } = await pruneWal(deps.catalog, walNeededFrom, { signal: deps.signal });
  if (files > 0) deps.log.info({ walFiles: files, bytes, walNeededFrom }, 'deleted WAL that no base backup needs');
  return { basebackups, walFiles: files };
}

async function decide(entries: readonly BasebackupEntry[], rules: RetentionRules, now: Date, deps: PruneDeps) {
  const preserved = await preservedUntil(deps.catalog, deps.signal);
  const backups = entries.map((entry) => ({
    name: entry.name,
    startTime: entry.startTime,
    startWalSegment: entry.startWalSegment,
    preservedUntil: preserved.get(entry.name),
  }));
  return decideRetention(backups, rules, now);
}
