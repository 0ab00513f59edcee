import type { BasebackupEntry } from '../../catalog/basebackup-entry.ts';
import type { StoredLine, Stretch } from '../../catalog/recoverability/stored-line.ts';
import type { WalBackup } from '../../catalog/recoverability/wal-backup.ts';
import type { Lsn } from '../../postgres/lsn.ts';
import type { PlanKnowledge } from './plan-knowledge.ts';
import type { WalWay } from './wal-way.ts';

/** From a base backup along a timeline and those that lead to it. */
export interface Route {
  readonly timeline: number;
  readonly way: WalWay;
  /** From where on it is consistent; in a segment's precision where that is not noted. */
  readonly consistentAt: Lsn;
  readonly isExactlyConsistentAt: boolean;
  /** Behind its WAL some is missing, and then it goes on. */
  readonly isBeforeHole: boolean;
  /** Nobody can tell whether all the WAL that the base backup needs is stored. */
  readonly isUnproven: boolean;
}

/**
 * To which timeline recovery leads: with `latest` PostgreSQL tries each number behind that of the base backup, up to the first that has no history
 * (findNewestTimeLine); `current` is that of the base backup.
 */
export function timelineFor(
  wish: string,
  { startWalSegment }: Pick<BasebackupEntry, 'startWalSegment'>,
  { archive }: PlanKnowledge,
): number {
  const own = Number.parseInt(startWalSegment.slice(0, 8), 16);
  if (wish === 'current') return own;
  if (wish !== 'latest') return Number(wish);
  let timeline = own;
  while (archive?.histories.has(timeline + 1)) timeline++;
  return timeline;
}

/** How recovery gets from the base backup to that timeline; or in words why it does not. */
export function routeTo(
  timeline: number,
  backup: Pick<BasebackupEntry, 'name' | 'endLsn'>,
  { found, archive }: PlanKnowledge,
): Route | string {
  if (archive === undefined) return 'no WAL of the site is stored';
  const findings = found.lines.find(({ line }) => line.timeline === timeline);
  if (findings === undefined) return `nothing of timeline ${timeline} is stored`;
  const { line, windows, unproven } = findings;
  const isIt = ({ name }: { readonly name: string }) => name === backup.name;
  for (const { stretch, backups } of windows) {
    const whole = backups.find(isIt);
    if (whole !== undefined) return routeIn(line, stretch, whole, false);
  }
  const doubtful = unproven.find((each) => isIt(each.backup));
  if (doubtful !== undefined) return routeIn(line, doubtful.stretch, doubtful.backup, true);
  const mark = found.basebackups.find(isIt);
  if (mark?.cause !== undefined) return mark.because;
  return `base backup ${backup.name} does not lead to timeline ${timeline}`;
}

function routeIn(line: StoredLine, stretch: Stretch, backup: WalBackup, isUnproven: boolean): Route {
  const { start, end = start, entry } = backup;
  const { segmentBytes, timeline } = line;
  return {
    timeline,
    way: {
      segmentBytes,
      parts: line.parts.filter((part) => part.end > line.startOf(start.number) && part.begin < stretch.endLsn),
      first: start.number,
      end: stretch.endLsn,
    },
    consistentAt: entry.endLsn ?? line.startOf(end.number),
    isExactlyConsistentAt: entry.endLsn !== undefined,
    isBeforeHole: line.stretches.at(-1) !== stretch,
    isUnproven,
  };
}
