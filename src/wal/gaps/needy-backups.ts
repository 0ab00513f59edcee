import type { BasebackupEntry } from '../../catalog/basebackup-entry.ts';
import { parseWalName, type WalSegment } from '../../postgres/wal-name.ts';
import type { NeedyBackup } from './gaps.ts';

/**
 * The base backups that need WAL of the archive; one that carries its own needs none, and of one with other segments nothing is known.
 * `alone`: names of those that are only kept to be restored to the moment they ended.
 */
export function needyBackups(
  entries: readonly BasebackupEntry[],
  segmentBytes: number,
  alone: ReadonlySet<string> = new Set(),
): readonly NeedyBackup[] {
  const parse = (name: string | undefined): WalSegment | undefined => {
    try {
      return name === undefined ? undefined : parseWalName(name, segmentBytes);
    } catch {
      return undefined;
    }
  };
  return entries.flatMap(({ name, startTime, startWalSegment, endWalSegment, lastModified: completed, metadata }) => {
    const start = parse(startWalSegment);
    if (start === undefined || metadata['active-backup-mode'] === 'standalone_hot_backup') return [];
    return [{ name, start, end: parse(endWalSegment), startTime, completed, isAlone: alone.has(name) }];
  });
}
