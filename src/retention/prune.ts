import type { BasebackupEntry } from '../catalog/basebackup-entry.ts';
import type { BasebackupListing } from '../catalog/catalog.ts';
import { forgetEvidence } from '../catalog/evidence/forget-evidence.ts';
import { basebackupNameOf } from '../catalog/keys.ts';
import { preservedUntil, removeExpiredPreservations } from '../catalog/preservation.ts';
import { lockedUntil } from '../storage/delete-many.ts';
import type { PendingConfirmation } from './confirmation.ts';
import type { BackupVerdict, RetentionRules } from './decide.ts';
import { isDelta } from './delta-references.ts';
import { Locks } from './locks.ts';
import { isAnythingDoomed, needOfAll, planRetention, type RetentionPlan, unfinishedMs, withNeeds } from './plan.ts';
import { pruneHistories } from './prune-histories.ts';
import { pruneWal } from './prune-wal.ts';
import { soundTime } from './sound-time.ts';
import { releasedBy, type SweepDeps, sweepDeltaFiles } from './sweep-delta-files.ts';
import type { WalNeeds } from './wal-need.ts';

export type PruneDeps = SweepDeps;

/** So long ago a request to preserve a base backup has run out without doubt. */
const expiredMs = 7 * 86_400_000;

export interface PruneOptions {
  /** Looking for unneeded WAL, or for unneeded files of delta backups, lists all of it; between two backups there is seldom any. */
  readonly walPruning?: 'always' | 'if-a-backup-goes';
  /** Base backups of sites that this one was moved from, which need WAL of it. */
  readonly elsewhere?: readonly BasebackupEntry[];
  /** Whether somebody has said that this deletion is meant. */
  readonly isConfirmed?: (deletion: PendingConfirmation) => boolean;
}

export interface PruneResult {
  /** Names of the base backups that went. */
  readonly basebackups: readonly string[];
  /** How many WAL files went. */
  readonly walFiles: number;
  /** Why nothing went now although something is to go. */
  readonly postponed?: string;
  /** Nothing went because this has to be confirmed. */
  readonly confirmation?: PendingConfirmation;
  /** What locks of the store keep although it is to go, and until when. */
  readonly locked?: string;
}

/**
 * Deletes the base backups that the rules let go and the WAL that no kept one needs. Can be interrupted and repeated at any point.
 * A backup that a lock of the store keeps stays whole, with all that it needs; other things that locks keep are left for a later pass.
 * A backup that cannot be restored for want of WAL is no reason to let an older one go, and as long as that is the newest one, nothing goes.
 * WAL stays as long as there is an object among the base backups whose needs cannot be read.
 */
export async function prune(
  listing: BasebackupListing,
  rules: RetentionRules,
  now: Date,
  deps: PruneDeps,
  { walPruning = 'always', elsewhere = [], isConfirmed = () => true }: PruneOptions = {},
): Promise<PruneResult> {
  const request = { listing, elsewhere, rules, now };
  if (walPruning !== 'always' && !(await isAnythingDoomed(request, deps))) return { basebackups: [], walFiles: 0 };
  const plan = await planRetention(request, deps);
  const { decision, needs, survey, waitsFor, confirmation } = plan;
  if (waitsFor !== undefined) return { basebackups: [], walFiles: 0, postponed: waitsFor };
  if (confirmation !== undefined && !isConfirmed(confirmation)) return { basebackups: [], walFiles: 0, confirmation };
  const goes = survey.some(({ stays }) => !stays);
  const asked = goes || decision.doomed.length > 0 ? await askedToKeep(plan, deps) : undefined;
  if (asked !== undefined)
    return { basebackups: [], walFiles: 0, postponed: `${asked} has just been asked for: what goes is decided anew` };
  const locks = new Locks();
  const basebackups = await removeBackups(listing, decision.doomed, { walPruning, now: soundTime(listing.entries, now) }, locks, deps);
  if (basebackups.length > 0) await forgetEvidenceOfGone(listing, basebackups, deps);
  const walFiles = goes ? await removeWal(withNeeds(needs, locks.basebackups.map(needOfAll)), locks, deps) : 0;
  await pruneHistories(plan, deps);
  if (walPruning === 'always') await removeExpiredPreservations(deps.catalog, new Date(decision.time.getTime() - expiredMs), deps.signal);
  const { text: locked } = locks;
  return { basebackups, walFiles, ...(locked !== undefined && { locked }) };
}

/** What was found out of base backups goes with them, and what an interruption has left of that. */
async function forgetEvidenceOfGone(
  { entries, unreadable }: BasebackupListing,
  gone: readonly string[],
  { catalog, signal }: PruneDeps,
): Promise<void> {
  const names = [...entries.map(({ name }) => name), ...unreadable.map(({ key }) => basebackupNameOf(key))];
  await forgetEvidence(catalog, new Set(names.filter((name) => !gone.includes(name))), signal);
}

/** A base backup that somebody wants to be kept since this was planned: a restore may have begun meanwhile. */
async function askedToKeep({ preserved, decision }: RetentionPlan, { catalog, signal }: PruneDeps): Promise<string | undefined> {
  const isNew = ([name, until]: [string, Date]) => until > decision.time && !((preserved.get(name) ?? decision.time) > decision.time);
  return [...(await preservedUntil(catalog, signal))].find(isNew)?.[0];
}

/** With all that only they needed. Resolves to the names of those that went. */
async function removeBackups(
  { entries }: BasebackupListing,
  doomed: readonly BackupVerdict[],
  { walPruning, now }: { readonly walPruning: PruneOptions['walPruning']; readonly now: Date },
  locks: Locks,
  deps: PruneDeps,
): Promise<string[]> {
  const doomedEntries = entries.filter(({ name }) => doomed.some((backup) => backup.name === name));
  const released = await releasedBy(doomedEntries, deps);
  const going = await forget(doomedEntries, doomed, locks, deps);
  const gone = going.map(({ name }) => name);
  if (walPruning === 'always') await removeOrphanChunks(now, locks, deps);
  if (walPruning === 'always' || going.some(isDelta)) locks.add((await sweepDeltaFiles({ gone, released, now }, deps)).locked);
  return gone;
}

/** Resolves to those that went. */
async function forget(
  entries: readonly BasebackupEntry[],
  doomed: readonly BackupVerdict[],
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

async function removeWal(needs: WalNeeds | undefined, locks: Locks, { catalog, log, signal }: PruneDeps): Promise<number> {
  if (needs === undefined) return 0;
  const { files, bytes, locked } = await pruneWal(catalog, needs, { signal });
  if (files > 0) log.info({ walFiles: files, bytes, neededFrom: needs.needs[0]?.from }, 'deleted WAL that no base backup needs');
  locks.add(locked);
  return files;
}

/** Chunks whose backup is gone or never became complete, once nobody can be busy with them any more, here or on another host. */
async function removeOrphanChunks(now: Date, locks: Locks, { catalog, log, signal }: PruneDeps): Promise<void> {
  const untouchedSince = new Date(now.getTime() - unfinishedMs);
  for await (const name of catalog.orphanChunks({ running: new Set(), untouchedSince, signal })) {
    const locked = await catalog.removeChunks(name, signal);
    locks.add(locked);
    if (locked.objects === 0) log.info({ basebackup: name }, 'deleted chunks without a base backup, left by an interruption');
  }
}
