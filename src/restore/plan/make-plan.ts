import { hasManifest } from '../../catalog/backup-format.ts';
import { isOperatorError, messageOf, type OperatorError } from '../../lib/errors.ts';
import { checkTargets } from '../check-targets.ts';
import { type Choice, chooseBasebackup } from '../choose.ts';
import type { SiteBackup } from '../kept-alone.ts';
import { planRestore, type RestorePlan } from '../plan.ts';
import { segmentBytesOf } from '../restore.ts';
import { checkBackupObjects } from './backup-objects.ts';
import { expectedDuration } from './expected-duration.ts';
import { type FoundRecovery, findRecovery, firstBehind } from './find-recovery.ts';
import { MissingRuns } from './missing-runs.ts';
import { lackingBytes, neededSpace } from './needed-space.ts';
import { planAsDocument } from './plan-as-document.ts';
import { PlanRefusal } from './plan-refusal.ts';
import type { PlanDeps, PlanRequest } from './plan-request.ts';
import { readSpread, type Share } from './read-spread.job.ts';
import type { RestorePlanDocument } from './restore-plan-document.ts';
import { type WalToFetch, walToFetch } from './wal-to-fetch.ts';

const nowhere = '/nowhere';

/**
 * Finds out what a restore will do and come to, without doing any of it. Reads listings, the manifest of the base backup and indexes of the WAL. Throws
 * {@link PlanRefusal} for a target that cannot be restored, and what `chooseBasebackup` throws.
 */
export async function makeRestorePlan(request: PlanRequest, deps: PlanDeps, signal: AbortSignal): Promise<RestorePlanDocument> {
  const { pool } = deps;
  const now = deps.clock.now();
  const all = await deps.backups(signal);
  const choice = await choose(request, all, deps, signal);
  const found = await findRecovery({ applicable: choice.applicable, all }, request.recovery, { ...deps, signal });
  const { source, ...entry } = found.backup;
  const isNowhere = request.dataDirectory === undefined;
  const tablespaces = { ...request.tablespaces, ...(isNowhere && { allBelow: nowhere }) };
  const places = { dataDirectory: request.dataDirectory ?? nowhere, tablespaces };
  const plan = await planRestore(source, entry, places, { pool, signal });
  const segmentBytes = found.route?.way.segmentBytes ?? 0;
  const missing = new MissingRuns(segmentBytes);
  const checked = await checkBackupObjects(plan, missing, { pool, signal });
  const wal = await walOf(found, missing, signal);
  const directories = await neededSpace({
    layout: plan.layout,
    plainBytes: plan.plainBytes,
    shares: await sharesOf(plan, deps, signal),
    walBytes: wal.segments * segmentBytes,
    segmentBytes,
    isHere: deps.isHere && !isNowhere,
  });
  const isRoomMade = request.overwrite || request.reuse;
  const obstacle = deps.isHere && request.dataDirectory !== undefined ? await obstacleIn(plan, request) : undefined;
  return planAsDocument({
    request,
    found,
    choice,
    plan,
    wal,
    missing,
    checked: checked + wal.objects,
    directories: [...directories],
    obstacle,
    lackingBytes: isRoomMade ? undefined : await lackingBytes(directories, plan.plainBytes),
    duration: expectedDuration(
      { plainBytes: plan.plainBytes, segments: wal.segments, segmentBytes },
      { drills: found.knowledge.drills, basebackups: all.filter((each) => each.source === source) },
    ),
    now,
    ...deps,
  });
}

async function choose(
  { basebackup, recovery }: PlanRequest,
  all: readonly SiteBackup[],
  deps: PlanDeps,
  signal: AbortSignal,
): Promise<Choice<SiteBackup>> {
  const { target } = recovery;
  try {
    const segmentBytes = target.kind === 'lsn' ? await segmentBytesOf(all, signal) : undefined;
    return chooseBasebackup(all, { basebackup, target, segmentBytes }, deps.clock.now());
  } catch (error) {
    if (!isOperatorError(error, 'target-before-basebackup')) throw error;
    throw withNearest(error, await firstBehind(all, recovery, { ...deps, signal }));
  }
}

function withNearest(error: OperatorError, after: PlanRefusal['nearest']['after']): PlanRefusal {
  const { code, message, hint = '' } = error;
  return new PlanRefusal(code, message, { nearest: { before: null, after }, hint });
}

/** Undefined where the base backup does not tell. */
async function sharesOf(
  { layout, parts, entry }: RestorePlan,
  { pool }: PlanDeps,
  signal: AbortSignal,
): Promise<readonly Share[] | undefined> {
  const main = parts.find(({ key }) => key === entry.key);
  const { format, tablespaces } = layout;
  if (main === undefined || tablespaces.length === 0 || !hasManifest(format)) return undefined;
  return pool.run(readSpread, { main, format, tablespaces: tablespaces.map(({ name }) => name) }, { signal });
}

/** Why the restore would refuse the directories as they are. */
async function obstacleIn({ layout }: RestorePlan, request: PlanRequest): Promise<string | undefined> {
  try {
    await checkTargets(layout, request);
    return undefined;
  } catch (error) {
    if (isOperatorError(error)) return `${error.code}: ${messageOf(error)}`;
    throw error;
  }
}

async function walOf({ route, reached, backup }: FoundRecovery, missing: MissingRuns, signal: AbortSignal): Promise<WalToFetch> {
  if (route === undefined || reached === undefined) return { first: undefined, last: undefined, segments: 0, storedBytes: 0, objects: 0 };
  return walToFetch(backup.source.catalog, route.way, reached.last, missing, signal);
}
