import type { BasebackupEntry } from '../catalog/basebackup-entry.ts';
import type { BasebackupListing } from '../catalog/catalog.ts';
import { preservedUntil } from '../catalog/preservation.ts';
import { lockedUntil } from '../storage/delete-many.ts';
import { type Doomed, decideRetention, oldestPosition, type RetentionRules } from './decide.ts';
import { isDelta } from './delta-references.ts';
import { Locks } from './locks.ts';
import { missingWalOf } from './missing-wal.ts';
import { pruneWal } from './prune-wal.ts';
import { releasedBy, type SweepDeps, sweepDeltaFiles } from './sweep-delta-files.ts';

/** Chunks without a main object may for so long belong to a backup that is being taken on another host. */
const orphanMsMin = 7 * 86_400_000;

export type PruneDeps = SweepDeps;

export interface PruneResult {
  /** Names of the base backups that went. */
  readonly basebackups: readonly string[];
  /** How many WAL files went. */
  readonly walFiles: number;
  /** Why nothing went now although something is to go. */
  readonly postponed?: string;
  /** What locks of the store keep although it is to go, and until when. */
  readonly locked?: string;
}

/** Looking for unneeded WAL, or for unneeded files of delta backups, lists all of it; between two backups there is seldom any. */
export type WalPruning = 'always' | 'if-a-backup-goes';

/**
 * Deletes the base backups that the rules let go and the WAL that no kept one needs. Can be interrupted and repeated at any point.
 * A backup that a lock of the store keeps stays whole, with all that it needs; other things that locks keep are left for a later pass.
 * Nothing goes as long as the newest backup cannot be restored for want of WAL: the older ones may be the last that can.
 * WAL stays as long as there is an object among the base backups whose needs cannot be read, and as backups `elsewhere` (of sites that this
 * one was moved from) need it.
 */
export async function prune(
  listing: BasebackupListing,
  rules: RetentionRules,
  now: Date,
  deps: PruneDeps,
  walPruning: WalPruning = 'always',
  elsewhere: readonly BasebackupEntry[] = [],
): Promise<PruneResult> {
  const { doomed, walNeededFrom } = await decide(listing.entries, rules, now, deps);
  const postponed = doomed.length > 0 ? await whyNotYet(listing.entries, deps) : undefined;
  if (postponed !== undefined) return { basebackups: [], walFiles: 0, postponed };
  const doomedEntries = listing.entries.filter(({ name }) => doomed.some((backup) => backup.name === name));
  const released = await releasedBy(doomedEntries, deps);
  const locks = new Locks();
  const going = await forget(doomedEntries, doomed, locks, deps);
  const basebackups = going.map(({ name }) => name);
  if (walPruning === 'always') await removeOrphanChunks(now, locks, deps);
  if (walPruning === 'always' || going.some(isDelta)) locks.add((await sweepDeltaFiles({ gone: basebackups, released, now }, deps)).locked);
  const walMayGo = listing.unreadable.length === 0 && (walPruning === 'always' || basebackups.length > 0);
  const neededFrom =
    walNeededFrom === undefined ? undefined : earliest(walNeededFrom, oldestPosition([...locks.basebackups, ...elsewhere]));
  const walFiles = neededFrom !== undefined && walMayGo ? await removeWal(neededFrom, locks, deps) : 0;
  const { text: locked } = locks;
  return { basebackups, walFiles, ...(locked !== undefined && { locked }) };
}

/** Resolves to those that went. */
async function forget(
  entries: readonly BasebackupEntry[],
  doomed: readonly Doomed[],
  locks: Locks,
  { catalog, log, signal }: PruneDeps,
): Promise<BasebackupEntry[]> {
  const going: BasebackupEntry[] = [];
  for (const entry of entries) {
    const because = doomed.find(({ name }) => name === entry.name)?.because;
    try {
      locks.add(await catalog.forgetBasebackup(entry, signal));
    } catch (error) {
      locks.addBasebackup(entry, lockedUntil(error));
      continue;
    }
    log.info({ basebackup: entry.name }, `deleted the base backup: ${because}`);
    going.push(entry);
  }
  return going;
}

async function removeWal(neededFrom: string, locks: Locks, { catalog, log, signal }: PruneDeps): Promise<number> {
  const { files, bytes, locked } = await pruneWal(catalog, neededFrom, { signal });
  if (files > 0) log.info({ walFiles: files, bytes, neededFrom }, 'deleted WAL that no base backup needs');
  locks.add(locked);
  return files;
}

function earliest(position: string, other: string | undefined): string {
  return other !== undefined && other < position ? other : position;
}

async function whyNotYet(entries: readonly BasebackupEntry[], { catalog, signal }: PruneDeps): Promise<string | undefined> {
  const newest = entries.at(-1);
  const missing = newest && (await missingWalOf(newest, catalog, signal));
  if (missing === undefined) return undefined;
  return `no base backup is deleted before the newest one, ${newest?.name}, can be restored: it needs WAL ${missing}, which is not stored (yet)`;
}

/** Chunks whose backup is gone or never became complete, once nobody can be busy with them any more, here or on another host. */
async function removeOrphanChunks(now: Date, locks: Locks, { catalog, log, signal }: PruneDeps): Promise<void> {
  const untouchedSince = new Date(now.getTime() - orphanMsMin);
  for await (const name of catalog.orphanChunks({ running: new Set(), untouchedSince, signal })) {
    const locked = await catalog.removeChunks(name, signal);
    locks.add(locked);
    if (locked.objects === 0) log.info({ basebackup: name }, 'deleted chunks without a base backup, left by an interruption');
  }
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
