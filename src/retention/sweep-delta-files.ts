import type { BasebackupEntry } from '../catalog/basebackup-entry.ts';
import type { BasebackupListing, Catalog } from '../catalog/catalog.ts';
import { deltaFiles, deltaIndexes, readDeltaIndex } from '../catalog/delta-files.ts';
import { DigestSet } from '../lib/digest-set.ts';
import { isOperatorError, messageOf } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { addLocked, deleteAll, type LockedSummary, noneLocked } from '../storage/delete-many.ts';
import { addReferences, isDelta, type ManifestAccess } from './delta-references.ts';

/** An index without a backup belongs for so long to one that is about to be complete, perhaps on another host. */
const claimMs = 3_600_000;
/** Files that nobody names may for so long belong to a backup that is being taken on another host. */
const unclaimedMs = 7 * 86_400_000;

export interface SweepDeps {
  readonly catalog: Catalog;
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly manifests?: ManifestAccess | undefined;
}

export interface SweptFiles {
  readonly files: number;
  readonly locked: LockedSummary;
}

const nothingSwept: SweptFiles = { files: 0, locked: noneLocked };

export interface SweepRequest {
  /** Names of delta backups that have just been deleted. */
  readonly gone: readonly string[];
  /** What they alone may have needed, as far as it is known. */
  readonly released: DigestSet;
  readonly now: Date;
}

/**
 * Deletes the files of delta backups that no backup needs any more: those of the backups just deleted at once, others that nobody names (left by
 * a crash or an interrupted deletion) once they are a week old. Deletes nothing as long as there is a backup whose needs are not known.
 * Holds the hashes of all kept delta backups, some 50 bytes each. Can be interrupted and repeated. What a lock keeps is
 * found again once it is a week old.
 */
export async function sweepDeltaFiles(request: SweepRequest, deps: SweepDeps): Promise<SweptFiles> {
  const { catalog, log, signal } = deps;
  if (!(await hasDeltaFiles(catalog, signal))) return nothingSwept;
  // Looked up anew: another host may have completed a backup meanwhile.
  const kept = await catalog.basebackups(signal);
  const needed = await findNeeded(kept, deps);
  const leftIndexes = needed && (await sortOutIndexes(kept, request, needed, deps));
  if (!leftIndexes) return nothingSwept;
  let files = 0;
  const onBatch = (batch: readonly string[], stayed: readonly unknown[]) => void (files += batch.length - stayed.length);
  const locked = await deleteAll(catalog.store, unneeded(request, needed, deps), { signal, onBatch });
  const indexes = leftIndexes.map((name) => catalog.keys.deltaIndex(name));
  const lockedIndexes = await deleteAll(catalog.store, indexes, { signal });
  if (files > 0) log.info({ files }, 'deleted files that no delta backup needs any more');
  return { files, locked: addLocked(locked, lockedIndexes) };
}

async function hasDeltaFiles(catalog: Catalog, signal: AbortSignal): Promise<boolean> {
  for await (const _ of deltaFiles(catalog, signal)) return true;
  for await (const _ of deltaIndexes(catalog, signal)) return true;
  return false;
}

/** What the kept backups need; undefined, and a line in the log, where that is not known of all. */
async function findNeeded(kept: BasebackupListing, deps: SweepDeps): Promise<DigestSet | undefined> {
  const { catalog, log } = deps;
  const [unreadable] = kept.unreadable;
  if (unreadable) {
    log.warn(
      { key: unreadable.key },
      `files of delta backups are not deleted: nobody knows which of them this object needs: ${unreadable.why}`,
    );
    return undefined;
  }
  const needed = new DigestSet();
  for (const entry of kept.entries.filter(isDelta)) {
    const why = await addReferences(catalog, entry, needed, deps);
    if (why === undefined) continue;
    log.warn({ basebackup: entry.name }, `files of delta backups are not deleted: which of them this backup needs is not known: ${why}`);
    return undefined;
  }
  return needed;
}

/**
 * Indexes without a kept backup: young ones are claims and count as needed, the others are left of deleted backups. Returns the latter;
 * undefined, and a line in the log, where a claim cannot be read.
 */
async function sortOutIndexes(
  kept: BasebackupListing,
  request: SweepRequest,
  needed: DigestSet,
  { catalog, log, signal }: SweepDeps,
): Promise<string[] | undefined> {
  const { gone, released, now } = request;
  const left: string[] = [];
  const keptNames = new Set(kept.entries.map(({ name }) => name));
  for await (const { name, lastModified } of deltaIndexes(catalog, signal)) {
    if (keptNames.has(name)) continue;
    const isLeft = gone.includes(name) || now.getTime() - lastModified.getTime() > claimMs;
    try {
      await readDeltaIndex(catalog, name, (digest) => void (isLeft ? released : needed).add(digest), signal);
    } catch (error) {
      if (!isOperatorError(error, 'delta-index-damaged')) throw error;
      log.warn({ basebackup: name }, messageOf(error));
      if (!isLeft) return undefined;
    }
    if (isLeft) left.push(name);
  }
  return left;
}

async function* unneeded({ released, now }: SweepRequest, needed: DigestSet, { catalog, signal }: SweepDeps): AsyncGenerator<string> {
  for await (const { key, digest, lastModified } of deltaFiles(catalog, signal)) {
    if (needed.has(digest)) continue;
    if (released.has(digest) || now.getTime() - lastModified.getTime() > unclaimedMs) yield key;
  }
}

/** What a delta backup that is about to be deleted needs, as far as it can be known. */
export async function releasedBy(entries: readonly BasebackupEntry[], deps: SweepDeps): Promise<DigestSet> {
  const released = new DigestSet();
  for (const entry of entries.filter(isDelta)) {
    const why = await addReferences(deps.catalog, entry, released, deps);
    if (why !== undefined) deps.log.info({ basebackup: entry.name }, `its files are deleted later, if nobody needs them: ${why}`);
  }
  return released;
}
