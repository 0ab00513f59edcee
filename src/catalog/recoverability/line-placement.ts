import type { WalTimes } from './facts.ts';
import type { StoredLine } from './stored-line.ts';
import type { WalBackup } from './wal-backup.ts';

/** Whether a base backup ended before the line left its timeline: only then can recovery follow the line from it. */
export type Placement = 'on' | 'beside' | 'doubtful';

/** The clocks of servers and store may differ. */
export const clockSkewMsMax = 60_000;

/**
 * In the segment in which its timeline was left a base backup may have ended before or behind that place. One of a primary has ended the segment itself: whoever had seen
 * its end would have left the timeline later. Otherwise it ended before it for certain only if something was committed in between.
 */
export function placementOn(line: StoredLine, backup: WalBackup, times: WalTimes): Placement {
  if (!line.isFor(backup)) return 'beside';
  const { start, end, entry, completed } = backup;
  const { timeline, number } = end ?? start;
  const index = line.parts.findIndex((part) => part.timeline === timeline);
  const [part, next] = [line.parts[index], line.parts[index + 1]];
  if (part === undefined || next === undefined) return 'on';
  if (end !== undefined) {
    if (number < part.end / BigInt(line.segmentBytes)) return 'on';
    if (entry.backupFrom === 'primary') return 'beside';
  }
  const committed = times.lastBefore(next.timeline)?.getTime() ?? Number.NEGATIVE_INFINITY;
  return (entry.endTime ?? completed).getTime() + clockSkewMsMax < committed ? 'on' : 'doubtful';
}
