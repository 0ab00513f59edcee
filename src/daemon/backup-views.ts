import type { BasebackupEntry } from '../catalog/basebackup-entry.ts';
import { parseTimestamp } from '../catalog/timestamp.ts';
import type { BackupView } from './next-step.ts';
import { normalizedBackupTime, type Schedule } from './schedule.ts';

/** What the scheduler sees of the backups that are there. What old versions did not write is taken from the start time. */
export function backupViews(entries: readonly BasebackupEntry[], schedule: Schedule): BackupView[] {
  return entries.map(({ startTime, metadata }) => ({
    startTime,
    decisionTime: parseTimestamp(metadata['backup-decision-time'] ?? '') ?? startTime,
    reason: metadata['backup-reason'] === 'requested' ? 'requested' : 'scheduled',
    normalizedTime: metadata['normalized-backup-time'] ?? normalizedBackupTime(schedule, startTime),
  }));
}
