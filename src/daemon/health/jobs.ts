import type { BasebackupProgress } from '../../basebackup/job.ts';
import type { RunningBackupView, SiteHealthView } from './health-view.ts';

/** Something that takes its time. */
export interface RunningJob {
  readonly kind: 'basebackup';
  readonly phase: BasebackupProgress['phase'];
  readonly startedAt: Date;
  readonly elapsedSeconds: number;
  readonly bytesDone: number;
  /** An estimate; absent where nobody can tell. */
  readonly bytesTotal?: number;
  /** Where it goes on as fast as until now. */
  readonly endsAt?: Date;
}

/** What was read in the first moments says nothing of the rest. */
const estimateMsMin = 5_000;

export function jobsOf({ backups, now }: SiteHealthView): readonly RunningJob[] {
  return backups.running === undefined ? [] : [basebackupJob(backups.running, now)];
}

function basebackupJob({ startedAt, elapsedMs, progress }: RunningBackupView, now: Date): RunningJob {
  const { phase = 'starting', bytesDone = 0, bytesTotal } = progress ?? {};
  const known = { kind: 'basebackup', phase, startedAt, elapsedSeconds: Math.round(elapsedMs / 1000), bytesDone } as const;
  if (bytesTotal === undefined) return known;
  // The estimate is of before it began, and files grow.
  const total = Math.max(bytesTotal, bytesDone);
  // What has been read has to be stored, which tells of itself.
  const isTold = phase === 'copying' && bytesDone > 0 && bytesDone < total && elapsedMs >= estimateMsMin;
  const restMs = (elapsedMs * (total - bytesDone)) / bytesDone;
  return { ...known, bytesTotal: total, ...(isTold && { endsAt: new Date(now.getTime() + restMs) }) };
}
