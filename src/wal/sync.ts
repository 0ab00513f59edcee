import { join } from 'node:path';
import { runHere } from '../codec/pool.ts';
import { isOperatorError, type OperatorError } from '../lib/errors.ts';
import { forEachLimited } from '../lib/limiter.ts';
import { classifyWalFile, type WalSegment } from '../postgres/wal-name.ts';
import { hashWal } from './seal-wal.job.ts';
import type { SyncCluster } from './sync-cluster.ts';
import { type ArchivedWal, nextSyncStep, type SyncLimits, syncStart } from './sync-decision.ts';
import { localWalToSync, walToVerify } from './sync-plan.ts';

/** The daemon that archives, by whatever way it is reached. */
export interface WalArchive {
  /** Undefined only for what is certainly not there. */
  archived(name: string): Promise<ArchivedWal | undefined>;
  /** Resolves once the file of the server's WAL directory is stored. */
  archive(name: string): Promise<void>;
}

export interface SyncDeps {
  readonly archive: WalArchive;
  readonly signal: AbortSignal;
  /** Told what happens. */
  readonly say: (message: string) => void;
}

export interface SyncFailure {
  readonly name: string;
  readonly error: OperatorError;
}

export interface SyncResult {
  /** What was not there, or different, and is there now. */
  readonly archived: readonly string[];
  readonly failures: readonly SyncFailure[];
}

/** Questions at once. */
const questionsMax = 8;

/** Has everything archived that the WAL directory still has and the archive lacks. What fails does not keep the rest from being archived. */
export async function syncWal(
  cluster: SyncCluster,
  neededFrom: bigint | undefined,
  limits: SyncLimits,
  deps: SyncDeps,
): Promise<SyncResult> {
  const { line, names, unfinishedFrom } = cluster;
  const failures: SyncFailure[] = [];
  const wanted = await findWanted(localWalToSync({ names, line, unfinishedFrom, neededFrom }), cluster, limits, deps, failures);
  const archived: string[] = [];
  for (const name of wanted.toSorted()) {
    deps.signal.throwIfAborted();
    const failure = await archiveOne(name, deps);
    if (failure === undefined) archived.push(name);
    else failures.push(failure);
  }
  return { archived, failures };
}

/** What the archive lacks for a recovery from a base backup's start to where the server is, oldest first. */
export async function findMissingWal({ line }: SyncCluster, start: WalSegment, { archive }: SyncDeps): Promise<string[]> {
  const missing: string[] = [];
  await forEachLimited(walToVerify(line, start), questionsMax, async (name) => {
    if ((await archive.archived(name)) === undefined) missing.push(name);
  });
  return missing.toSorted();
}

async function findWanted(
  candidates: readonly string[],
  cluster: SyncCluster,
  limits: SyncLimits,
  { archive, signal, say }: SyncDeps,
  failures: SyncFailure[],
): Promise<string[]> {
  const wanted: string[] = [];
  let progress = syncStart;
  for (const name of candidates) {
    signal.throwIfAborted();
    const archived = await archive.archived(name);
    const step = nextSyncStep(classifyWalFile(name) === 'history' ? 'history' : 'segment', archived, progress, limits);
    progress = step.progress;
    if (step.do === 'archive') wanted.push(name);
    if (step.do !== 'compare' || archived === undefined) continue;
    const differs = await isDifferent(name, archived, cluster, signal).catch((error: unknown) => failureOf(name, error));
    if (typeof differs === 'object') failures.push(differs);
    else if (differs) {
      say(`${name} is archived with other content than it has here`);
      wanted.push(name);
    }
  }
  return wanted;
}

/** A file that is recycled at this moment is no different: the server only gives away what is archived. */
async function isDifferent(
  name: string,
  { hash, hashAlgorithm = '' }: ArchivedWal,
  { walDirectory, facts }: SyncCluster,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    const input = { name, path: join(walDirectory, name), cluster: facts, hash: hashAlgorithm };
    return (await runHere(hashWal, input, { signal })) !== hash;
  } catch (error) {
    if (isOperatorError(error, 'wal-file-missing', 'wal-changed')) return false;
    throw error;
  }
}

async function archiveOne(name: string, { archive, say }: SyncDeps): Promise<SyncFailure | undefined> {
  say(`Archiving ${name}`);
  try {
    await archive.archive(name);
    return undefined;
  } catch (error) {
    const failure = failureOf(name, error);
    // It may have been archived, and then recycled, since the archive was asked.
    const isGone = failure.error.code === 'wal-file-missing' && (await archive.archived(name)) !== undefined;
    return isGone ? undefined : failure;
  }
}

/** What would befall the other files too, such as a daemon that is gone, is not about the file. */
function failureOf(name: string, error: unknown): SyncFailure {
  if (isOperatorError(error) && error.code.startsWith('wal-')) return { name, error };
  throw error;
}
