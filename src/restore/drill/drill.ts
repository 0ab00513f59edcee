import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import type { DrillEvidence } from '../../catalog/evidence/drill-evidence.ts';
import type { RecoverabilityDocument } from '../../catalog/recoverability/recoverability-document.ts';
import { inUnits } from '../../lib/bytes-in-words.ts';
import { OperatorError } from '../../lib/errors.ts';
import type { Random } from '../../lib/random.ts';
import { TimeLimit } from '../../lib/time-limit.ts';
import { readControlFile } from '../../postgres/control-file.ts';
import { findProgram, type Program, type ProgramSearch } from '../../postgres/programs.ts';
import { majorOf } from '../../postgres/versions.ts';
import type { RecoveryTarget } from '../choose.ts';
import { RestorePin } from '../preserve.ts';
import { backupsOf, type RestoreDeps, type RestoreResult, restoreBasebackup, type SiteBackup } from '../restore.ts';
import { formatTargetTime } from '../target-time.ts';
import { checkFiles, checkRunning, type DrillCheck } from './drill-checks.ts';
import { chooseDrillTarget, type DrillTarget, type DrillWish } from './drill-target.ts';
import { verdictOf } from './drill-verdict.ts';
import type { RestoreDrillOptions } from './options.ts';
import { type Replayed, replayedBy, segmentsBetween } from './replayed.ts';
import { ScratchDirectory } from './scratch-directory.ts';
import { ScratchServer } from './scratch-server.ts';

export interface DrillRequest {
  readonly site: string;
  readonly options: RestoreDrillOptions;
  readonly wish: DrillWish;
  /** The site's, where the drill has none of its own. */
  readonly binDirectory: string | undefined;
}

export interface DrillDeps extends Omit<RestoreDeps, 'onChosen'> {
  readonly random: Random;
  /** What is claimed of the site at this moment. Rejects with `daemon-unreachable`. */
  readonly claims: () => Promise<RecoverabilityDocument>;
}

/** Timers know no longer time. */
const timerMsMax = 2 ** 31 - 1;

/** What has been shown so far. */
interface Shown {
  restored?: RestoreResult;
  replayed?: Replayed;
  segments?: number;
  checks: DrillCheck[];
}

/**
 * Restores a base backup beside everything else, lets PostgreSQL recover it to a moment that is claimed to be restorable, looks at what it has got, and removes it again.
 * Resolves to what that has shown, also where it went wrong. Rejects only where there is nothing to begin with (`drill-impossible`, `daemon-unreachable`), and upon `signal`.
 */
export async function holdDrill(request: DrillRequest, deps: DrillDeps, signal: AbortSignal): Promise<DrillEvidence> {
  const { clock } = deps;
  const chosen = chooseDrillTarget(await deps.claims(), request.wish, deps.random);
  const begun = clock.now();
  const begunMs = clock.monotonicMs();
  const minutes = request.options.time_limit_minutes;
  using limit = new TimeLimit(Math.min(minutes * 60_000, timerMsMax), clock);
  const limited = AbortSignal.any([signal, limit.signal]);
  const shown: Shown = { checks: [] };
  const error = await show(chosen, shown, request, deps, limited).then(
    () => undefined,
    (reason: unknown) => (limit.signal.aborted ? tookTooLong(minutes) : reason),
  );
  signal.throwIfAborted();
  return {
    format: 1,
    basebackup: chosen.basebackup,
    timeline: chosen.timeline,
    target: { kind: chosen.target.kind, value: valueOf(chosen.target) },
    replayed_to: shown.replayed?.to ?? null,
    begun_at: begun.toISOString(),
    duration_seconds: Math.round(clock.monotonicMs() - begunMs) / 1000,
    ...(await verdictOf(error, shown.checks, deps.claims)),
    checks: shown.checks,
    restored_bytes: shown.restored?.plainBytes ?? null,
    replayed_segments: shown.segments ?? null,
  };
}

async function show(chosen: DrillTarget, shown: Shown, request: DrillRequest, deps: DrillDeps, signal: AbortSignal): Promise<void> {
  const { options, site } = request;
  const backup = await backupNamed(chosen.basebackup, deps, signal);
  refuseTooLarge(backup, options);
  await using scratch = await ScratchDirectory.make(options.workdir, site);
  await chmod(scratch.path, 0o711); // PostgreSQL passes through as another user where we are root.
  const postgres = await postgresFor(backup, request);
  const pin = await RestorePin.set({ catalog: backup.source.catalog, backupKey: backup.key }, deps, signal);
  await using _kept = { [Symbol.asyncDispose]: () => pin.release() };
  shown.restored = await restore(chosen, scratch, deps, signal);
  const { dataDirectory, owner } = shown.restored;
  const { dataChecksums, segmentBytes } = await readControlFile(dataDirectory);
  const major = majorOf(postgres.version);
  const programs = searchOf(request, major);
  const plan = { program: postgres.path, major: Number(major), dataDirectory, directory: scratch.path, owner, user: options.user };
  {
    await using server = await ScratchServer.start(plan);
    deps.say('PostgreSQL recovers');
    const begunMs = deps.clock.monotonicMs();
    await server.recovered(deps.clock, signal);
    shown.replayed = await replayedBy(server, dataDirectory, signal);
    shown.segments = segmentsBetween(backup.startWalSegment, shown.replayed.lsn, segmentBytes);
    const seconds = Math.round(deps.clock.monotonicMs() - begunMs) / 1000;
    shown.checks.push({ name: 'recovery', result: 'passed', because: null, seconds });
    deps.say('Looking at what has been restored');
    shown.checks.push(...(await checkRunning(server, options, { programs, clock: deps.clock, signal })));
    await server.stop();
  }
  const files = { dataDirectory, owner, hasChecksums: dataChecksums };
  shown.checks.push(...(await checkFiles(files, options, { programs, clock: deps.clock, signal })));
}

async function restore(chosen: DrillTarget, scratch: ScratchDirectory, deps: DrillDeps, signal: AbortSignal): Promise<RestoreResult> {
  const request = {
    basebackup: chosen.basebackup,
    dataDirectory: join(scratch.path, 'data'),
    overwrite: false,
    reuse: false,
    tablespaces: { directories: new Map(), allBelow: join(scratch.path, 'tablespaces') },
    recovery: { target: chosen.target, targetAction: 'promote' as const, timeline: String(chosen.timeline), toPrimary: true },
    cancelPreserveOnSuccess: false,
    isKept: true,
  };
  return restoreBasebackup(request, { ...deps, onChosen: () => {} }, signal);
}

async function backupNamed(name: string, deps: DrillDeps, signal: AbortSignal): Promise<SiteBackup> {
  const backup = (await backupsOf(deps, signal)).find((each) => each.name === name);
  if (backup !== undefined) return backup;
  throw new OperatorError('drill-impossible', `the base backup ${name} is not in the store any more`, { retryable: true });
}

function refuseTooLarge({ name, plainSize, storedSize }: SiteBackup, { max_size: max }: RestoreDrillOptions): void {
  const bytes = plainSize ?? storedSize;
  if (max === null || bytes <= max) return;
  throw new OperatorError('drill-impossible', `the base backup ${name} is too large for a drill: ${inUnits(bytes)}`, {
    hint: `restore_drill.max_size allows ${inUnits(max)}.`,
  });
}

async function postgresFor({ pgVersion }: SiteBackup, request: DrillRequest): Promise<Program> {
  const major = pgVersion === undefined ? undefined : majorOf(pgVersion);
  const program = await findProgram('postgres', searchOf(request, major));
  if (major === undefined || majorOf(program.version) === major) return program;
  throw new OperatorError(
    'drill-impossible',
    `the base backup needs PostgreSQL ${major}, and ${program.path} is ${majorOf(program.version)}`,
    {
      hint: 'Install that version here, and name it by restore_drill.pg_bin_directory.',
    },
  );
}

function searchOf({ options, binDirectory }: DrillRequest, major: string | undefined): ProgramSearch {
  return { binDirectory: options.pg_bin_directory ?? binDirectory, major };
}

function valueOf(target: RecoveryTarget): string | null {
  return target.kind === 'time' ? formatTargetTime(target.time) : null;
}

function tookTooLong(minutes: number): OperatorError {
  return new OperatorError('drill-impossible', `the drill was stopped: it took longer than ${minutes} minutes`, {
    hint: 'See restore_drill.time_limit_minutes.',
  });
}
