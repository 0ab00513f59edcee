import type { BasebackupEntry } from '../../catalog/basebackup-entry.ts';
import type { DrillEvidence } from '../../catalog/evidence/drill-evidence.ts';
import type { RestorePlanDocument } from './restore-plan-document.ts';

type Duration = RestorePlanDocument['duration'];
type Range = Duration['recovery_seconds'];

export interface Work {
  /** To be written by the restore; undefined: not known. */
  readonly plainBytes: number | undefined;
  readonly segments: number;
  readonly segmentBytes: number;
}

export interface Measured {
  /** The oldest first. */
  readonly drills: readonly DrillEvidence[];
  readonly basebackups: readonly BasebackupEntry[];
}

/** Bytes per second, at worst and at best. */
interface Rates {
  readonly slow: number;
  readonly fast: number;
}

const mib = 1024 * 1024;
/** What one processor and a disk of an ordinary machine do: nobody has measured this one. */
const restoreRates: Rates = { slow: 20 * mib, fast: 200 * mib };
const recoveryRates: Rates = { slow: 16 * mib, fast: 160 * mib };
/** For the start of programs, whatever there is to do. */
const startSeconds: Range = { from: 1, to: 10 };
const newestMax = 10;
/** Another time it may be slower or faster than it has been. */
const spread = 1.5;
/** Shorter ones measure the start of programs. */
const measuredSecondsMin = 0.5;

/** How long a restore takes, and the recovery after it, as far as earlier ones tell. */
export function expectedDuration(work: Work, { drills, basebackups }: Measured): Duration {
  const passed = drills.filter(({ result }) => result === 'passed').slice(-newestMax);
  const restored = ratesOf(passed.map(restoreRateOf));
  const recovered = ratesOf(passed.map((drill) => recoveryRateOf(drill, work.segmentBytes)));
  const taken = restored === undefined ? ratesOf(basebackups.slice(-newestMax).map(takingRateOf)) : undefined;
  // Unpacking is faster than packing.
  const restore = restored ?? (taken && { slow: taken.slow, fast: taken.fast * 4 }) ?? restoreRates;
  const restoring = work.plainBytes === undefined ? undefined : secondsOf(work.plainBytes, restore);
  const recovering = secondsOf(work.segments * work.segmentBytes, recovered ?? recoveryRates);
  return {
    restore_seconds: restoring ?? null,
    recovery_seconds: recovering,
    total_seconds: restoring === undefined ? null : { from: restoring.from + recovering.from, to: restoring.to + recovering.to },
    measured_by: restored !== undefined ? 'drills' : taken !== undefined ? 'base-backups' : 'nothing',
    because: [restoreReason(restored, taken, passed.length), recoveryReason(recovered)].join('; '),
  };
}

function restoreReason(restored: Rates | undefined, taken: Rates | undefined, drills: number): string {
  if (restored !== undefined) return `restored as fast as by the last ${drills === 1 ? 'restore drill' : `${drills} restore drills`}`;
  if (taken !== undefined) return 'no restore drill has measured it: restored as fast as base backups were taken, to four times as fast';
  return `nothing has measured it: restored at ${restoreRates.slow / mib} to ${restoreRates.fast / mib} MiB/s`;
}

function recoveryReason(recovered: Rates | undefined): string {
  if (recovered !== undefined) return 'WAL replayed as fast as by drills';
  return `no drill has measured how fast WAL is replayed: ${recoveryRates.slow / mib} to ${recoveryRates.fast / mib} MiB/s are assumed`;
}

function restoreRateOf({ restored_bytes: bytes, duration_seconds: all, checks }: DrillEvidence): number | undefined {
  const checked = checks.reduce((sum, { seconds }) => sum + (seconds ?? 0), 0);
  return rateOf(bytes, all - checked);
}

function recoveryRateOf({ replayed_segments: segments, checks }: DrillEvidence, segmentBytes: number): number | undefined {
  const seconds = checks.find(({ name }) => name === 'recovery')?.seconds ?? 0;
  return segments === null ? undefined : rateOf(segments * segmentBytes, seconds);
}

function takingRateOf({ startTime, endTime, plainSize }: BasebackupEntry): number | undefined {
  return endTime === undefined ? undefined : rateOf(plainSize ?? null, (endTime.getTime() - startTime.getTime()) / 1000);
}

function rateOf(bytes: number | null, seconds: number): number | undefined {
  return bytes === null || bytes === 0 || seconds < measuredSecondsMin ? undefined : bytes / seconds;
}

function ratesOf(measured: readonly (number | undefined)[]): Rates | undefined {
  const rates = measured.filter((rate) => rate !== undefined);
  return rates.length === 0 ? undefined : { slow: Math.min(...rates) / spread, fast: Math.max(...rates) * spread };
}

function secondsOf(bytes: number, { slow, fast }: Rates): Range {
  return { from: Math.round(startSeconds.from + bytes / fast), to: Math.round(startSeconds.to + bytes / slow) };
}
