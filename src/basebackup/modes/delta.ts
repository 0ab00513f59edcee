import { archiveAsDelta } from '../delta-archive.ts';
import { backUpFiles } from '../file-backup.ts';
import type { RunningBackup } from '../job.ts';
import type { MainObject } from '../main-object.ts';

/** `basebackup_mode: delta`. */
export async function takeDelta(backup: RunningBackup): Promise<MainObject> {
  return backUpFiles(backup, archiveAsDelta);
}
