import type { DrillEvidence } from '../../catalog/evidence/drill-evidence.ts';
import { firstTimeOfDay, type Schedule, scheduledTime } from '../schedule.ts';

export type DrillInBrief = Pick<DrillEvidence, 'begun_at' | 'result' | 'because' | 'basebackup'>;

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

/** When the next drill is due: at a moment, which may be over; undefined: never. `drills`: in the order in which they were begun. */
export function nextDrill(schedule: Schedule, drills: readonly DrillInBrief[], now: Date): Date | undefined {
  const { intervalHours, hour } = schedule;
  if (intervalHours === null) return undefined;
  const last = drills.at(-1);
  if (last === undefined) return now;
  const begun = new Date(last.begun_at);
  const intervalMs = intervalHours * hourMs;
  if (last.result === 'impossible') return new Date(begun.getTime() + againMs(intervalMs));
  if (hour === undefined) return new Date(begun.getTime() + intervalMs);
  if (intervalMs >= dayMs) return firstTimeOfDay(schedule, new Date(begun.getTime() + intervalMs - dayMs + 1));
  const scheduled = scheduledTime(schedule, now) ?? now;
  return scheduled > begun ? scheduled : new Date(scheduled.getTime() + intervalMs);
}

/** One that could not be held is tried again sooner. */
export function againMs(intervalMs: number): number {
  return Math.min(intervalMs, Math.max(hourMs, intervalMs / 24));
}

export interface DrillTroubles {
  /** What the last one has shown that could be held, if it failed. */
  readonly failed: string | undefined;
  /** Why none has been held for long. */
  readonly overdue: string | undefined;
}

/** What somebody should know of. `since`: from when on drills can have been held. */
export function drillTroubles(schedule: Schedule, drills: readonly DrillInBrief[], since: Date, now: Date): DrillTroubles {
  const held = drills.filter(({ result }) => result !== 'impossible');
  const last = held.at(-1);
  const failed = last?.result === 'failed' ? `the restore drill of the base backup ${last.basebackup} failed: ${last.because}` : undefined;
  const intervalMs = (schedule.intervalHours ?? Number.POSITIVE_INFINITY) * hourMs;
  const heldAt = last === undefined ? since : new Date(last.begun_at);
  const isOverdue = now.getTime() - heldAt.getTime() > 2 * intervalMs;
  if (!isOverdue) return { failed, overdue: undefined };
  const obstacle = drills.at(-1)?.result === 'impossible' ? `: ${drills.at(-1)?.because}` : '';
  const from = last === undefined ? 'no restore drill has been held yet' : `the last restore drill was held on ${last.begun_at}`;
  return { failed, overdue: `${from}, and one is due every ${schedule.intervalHours} hours${obstacle}` };
}
