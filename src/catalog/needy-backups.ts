import type { TimelineLine } from '../postgres/timeline-line.ts';
import { parseWalName, type WalSegment } from '../postgres/wal-name.ts';
import type { BasebackupEntry } from './basebackup-entry.ts';

/** A complete base backup that needs WAL of the archive. */
export interface NeedyBackup {
  readonly name: string;
  readonly start: WalSegment;
  /** Unknown for what old versions took on a standby or by pg_basebackup. */
  readonly end: WalSegment | undefined;
  readonly startTime: Date;
  readonly completed: Date;
  /** It is only kept to be restored to the moment it ended: WAL behind it is not missed. */
  readonly isAlone?: boolean;
}

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

/** Whether recovery from this base backup can follow the line. */
export function leadsTo(line: TimelineLine, { start, end }: Pick<NeedyBackup, 'start' | 'end'>): boolean {
  return line.touches(start) && (end === undefined || line.touches(end));
}
