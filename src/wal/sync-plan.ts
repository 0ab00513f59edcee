import type { BasebackupEntry } from '../catalog/basebackup-entry.ts';
import { leadsTo } from '../catalog/needy-backups.ts';
import { historiesBetween } from '../catalog/wal-archive-view.ts';
import type { ControlFile } from '../postgres/control-file.ts';
import type { Lsn } from '../postgres/lsn.ts';
import type { TimelineLine } from '../postgres/timeline-line.ts';
import { classifyWalFile, historyNameOf, type WalSegment } from '../postgres/wal-name.ts';

/** What is known before the archive is asked. */
export interface SyncView {
  /** Names in the server's WAL directory. */
  readonly names: readonly string[];
  readonly line: TimelineLine;
  /** Number of the first segment of which the local file may be unfinished, or is not what its name says (recycled). */
  readonly unfinishedFrom: bigint;
  /** Number of the segment from which on WAL is needed; undefined: all of it. */
  readonly neededFrom: bigint | undefined;
}

export type RequiredBackup = Pick<BasebackupEntry, 'name' | 'startTime' | 'startWalSegment' | 'endWalSegment'>;

/** The newest base backup that the server's line of timelines leads on from, and the segment it starts in. */
export function requiredBackup(
  backups: readonly RequiredBackup[],
  line: TimelineLine,
): { readonly backup: RequiredBackup; readonly start: WalSegment } | undefined {
  for (const backup of backups.toSorted((a, b) => b.startTime.getTime() - a.startTime.getTime())) {
    const start = line.parse(backup.startWalSegment);
    const end = line.parse(backup.endWalSegment ?? '');
    if (start !== undefined && leadsTo(line, { start, end })) return { backup, start };
  }
  return undefined;
}

/**
 * Up to where the files of a data directory are finished, `position` being where the server is that answered. That may be another server than
 * the one of the directory, such as the primary of a standby that is behind: then only what lies before the latest checkpoint is certainly there.
 */
export function finishedUpTo({ state, checkpointLsn }: Pick<ControlFile, 'state' | 'checkpointLsn'>, position: Lsn): Lsn {
  return state === 'in production' || position < checkpointLsn ? position : checkpointLsn;
}

/**
 * The local files that the archive should have, in the order in which it is asked for them: histories, then segments from the newest back,
 * and with them the partial segments in which timelines were left. What another line of timelines left behind is not touched: nobody knows
 * how far it was written.
 */
export function localWalToSync(view: SyncView): string[] {
  const histories = view.names.filter((name) => classifyWalFile(name) === 'history');
  const segments = view.names.filter((name) => isFinishedSegment(name, view));
  return [...histories.toSorted(), ...segments.toSorted(byPosition).toReversed()];
}

/** Names that must be in the archive for a recovery from `start` to where the server is, segments from the newest back; the segment that is being written is not among them. */
export function* walToVerify(line: TimelineLine, start: WalSegment): Generator<string> {
  for (const timeline of historiesBetween(start.timeline, line.current.timeline)) yield historyNameOf(timeline);
  for (let number = line.current.number - 1n; number >= start.number; number--) {
    const name = line.nameAt(number);
    if (name !== undefined) yield name;
  }
}

function isFinishedSegment(name: string, { line, unfinishedFrom, neededFrom = 0n }: SyncView): boolean {
  const isPartial = classifyWalFile(name) === 'partial';
  const segment = line.parse(isPartial ? name.slice(0, -'.partial'.length) : name);
  if (segment === undefined || segment.number < neededFrom || segment.number >= unfinishedFrom) return false;
  return isPartial ? segment.timeline !== line.current.timeline && line.touches(segment) : line.includes(name);
}

/** Behind its timeline, a name sorts by position. */
function byPosition(a: string, b: string): number {
  const [left, right] = [a.slice(8) + a.slice(0, 8), b.slice(8) + b.slice(0, 8)];
  return left < right ? -1 : Number(left > right);
}
