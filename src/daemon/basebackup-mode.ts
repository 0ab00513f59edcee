import type { BasebackupMode } from '../basebackup/job.ts';

/** Whether the mode reads the data directory itself. */
export function readsDataDirectory(mode: BasebackupMode): boolean {
  return !runsPgBasebackup(mode) && mode !== 'stream';
}

/** Whether `pg_basebackup` is what takes it. */
export function runsPgBasebackup(mode: BasebackupMode): boolean {
  return mode === 'basic' || mode === 'pipe';
}
