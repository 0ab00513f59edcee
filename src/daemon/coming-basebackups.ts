import { type BackupView, nextStep } from './next-step.ts';
import { normalizedBackupTime, type Schedule } from './schedule.ts';

/** A site that nothing keeps from taking one. */
const free = {
  active: true,
  maintenance: false,
  obstacle: undefined,
  standby: undefined,
  running: false,
  requested: false,
  failures: 0,
  lastFailure: undefined,
  retriesMax: undefined,
} as const;

/** When base backups will begin from now on, without end, if none fails and nobody asks for one. `taken`: those that are there, in ascending order of start. */
export function* comingBasebackups(taken: readonly BackupView[], schedule: Schedule, from: Date): Generator<Date, void> {
  if (schedule.intervalHours === null || schedule.intervalHours <= 0) return;
  let backups = taken;
  for (let now = from; ; ) {
    const step = nextStep({ ...free, backups }, schedule, now);
    if (step.do === 'take-basebackup') {
      yield now;
      backups = [{ startTime: now, decisionTime: now, reason: 'scheduled', normalizedTime: normalizedBackupTime(schedule, now) }];
    } else if (step.dueAt === undefined) return;
    else now = step.dueAt;
  }
}
