import { archiveInChunks } from '../chunked-archive.ts';
import { backUpFiles } from '../file-backup.ts';
import type { RunningBackup } from '../job.ts';
import type { MainObject } from '../main-object.ts';
import { archiveAsSingleObject } from '../single-archive.ts';

/** `basebackup_mode: local-tar`, in one of its two formats. */
export async function takeLocalTar(backup: RunningBackup): Promise<MainObject> {
  return backUpFiles(backup, backup.job.format === 'pghoard-bb-v1' ? archiveAsSingleObject : archiveInChunks);
}

/** `basebackup_mode: local-tar-delta-stats`. */
export async function takeLocalTarWithStats(backup: RunningBackup): Promise<MainObject> {
  return backUpFiles(backup, archiveInChunks);
}
