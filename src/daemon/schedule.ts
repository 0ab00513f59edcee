/** When base backups are taken by themselves. */
export interface Schedule {
  /** Null: never. */
  readonly intervalHours: number | null;
  /** UTC; undefined: only the interval counts. */
  readonly hour: number | undefined;
  readonly minute: number | undefined;
}

/**
 * The scheduled moment that `now` belongs to, as ISO text with `+00:00` (spec: `normalized-backup-time`): the last hour:minute,
 * moved on by whole intervals. Undefined where the schedule has no fixed time of day.
 */
export function normalizedBackupTime(schedule: Schedule, now: Date): string | undefined {
  if (schedule.intervalHours === null || schedule.intervalHours <= 0 || schedule.hour === undefined) return undefined;
  const intervalMs = schedule.intervalHours * 3_600_000;
  const today = Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate(), schedule.hour, schedule.minute ?? 0);
  const anchor = today > now.getTime() ? today - 86_400_000 : today;
  const periods = Math.max(0, Math.ceil((now.getTime() - anchor) / intervalMs) - 1);
  return new Date(anchor + periods * intervalMs).toISOString().replace('.000Z', '+00:00');
}
