import type { BasebackupEntry } from '../catalog/basebackup-entry.ts';

/** No schedule leaves so much time between two base backups. */
const leapMs = 30 * 86_400_000;

/**
 * The clock, for judging by its age what may still be in use; but where it is so far ahead of the newest base backup that it may be wrong, the time of that one:
 * what is younger is left alone until another base backup is there.
 */
export function soundTime(entries: readonly Pick<BasebackupEntry, 'startTime' | 'lastModified'>[], now: Date): Date {
  if (entries.length === 0) return now;
  const newestMs = Math.max(...entries.flatMap(({ startTime, lastModified }) => [startTime.getTime(), lastModified.getTime()]));
  return now.getTime() - newestMs > leapMs ? new Date(newestMs) : now;
}
