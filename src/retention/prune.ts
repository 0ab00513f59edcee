import type { BasebackupEntry } from '../catalog/basebackup-entry.ts';
import type { BasebackupListing, Catalog } from '../catalog/catalog.ts';
import { preservedUntil } from '../catalog/preservation.ts';
import { forEachLimited } from '../lib/limiter.ts';
import type { Log } from '../lib/log.ts';
import { classifyWalFile } from '../postgres/wal-name.ts';
import { decideRetention, isWalNeeded, type RetentionRules } from './decide.ts';

/** Deletions at once. */
const deletionsMax = 8;

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
  return { basebackups, walFiles: walNeededFrom === undefined || !walMayGo ? 0 : await pruneWal(walNeededFrom, deps) };
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

/** Segments and partial segments below the position, on every timeline. History files stay: they are tiny and tell where timelines meet. */
async function pruneWal(walNeededFrom: string, { catalog, log, signal }: PruneDeps): Promise<number> {
  let count = 0;
  for (const prefix of [catalog.keys.walPrefix, catalog.keys.walPartialPrefix]) {
    await forEachLimited(unneededWal(catalog, prefix, walNeededFrom, signal), deletionsMax, async (key) => {
      await catalog.store.delete(key, { signal });
      count++;
    });
  }
  if (count > 0) log.info({ walFiles: count, walNeededFrom }, 'deleted WAL that no base backup needs');
  return count;
}

async function* unneededWal(catalog: Catalog, prefix: string, walNeededFrom: string, signal: AbortSignal): AsyncGenerator<string> {
  for await (const { key } of catalog.store.list(prefix, { signal })) {
    const name = key.slice(prefix.length);
    const kind = classifyWalFile(name);
    if ((kind === 'segment' || kind === 'partial') && !isWalNeeded(name, walNeededFrom)) yield key;
  }
}
