import { decideRetention, type RetainableBackup, type RetentionRules } from './decide.ts';
import { judgeWal, type StoredSegment, type WalNeeds } from './wal-need.ts';

/** What goes by the rules as they are because the newest base backup has come: what happens day after day. */
export interface Routine {
  /** Names of base backups. */
  readonly backups: ReadonlySet<string>;
  /** Whether WAL goes for that reason. */
  readonly letsGo: (wal: StoredSegment) => boolean;
}

const hourMs = 3_600_000;
/** A pass may have been left out: the one before has not let go what only the newest but one made needless. */
const newestMax = 2;
/** Where base backups are only taken on request, or every hour. */
const unitMsMin = 12 * hourMs;

/** So much WAL goes any day, whatever the reason, in ms of its writing: what an interrupted pass has left, or what a new site archived before its first base backup. */
export function everydayMs(intervalHours: number): number {
  return newestMax * Math.max(intervalHours * hourMs, unitMsMin);
}

/**
 * Compares what the rules let go now with what they had kept before the newest base backups came. What had been due then, and is there all the same, is there for
 * another reason: a rule was changed, or what kept it has got lost. So is what goes only because the clocks say that a long time has passed.
 */
export function routineOf(backups: readonly RetainableBackup[], rules: RetentionRules, now: Date): Routine {
  const byCompletion = backups.toSorted((a, b) => a.completed.getTime() - b.completed.getTime());
  const earlier = Array.from({ length: newestMax }, (_, index) => byCompletion.slice(0, -1 - index));
  const [before] = earlier;
  const previous = before?.at(-1);
  if (before === undefined || previous === undefined) return { backups: new Set(), letsGo: () => false };
  const believable = new Date(Math.min(now.getTime(), previous.completed.getTime() + everydayMs(rules.intervalHours)));
  const goesNow = decideRetention(backups, rules, believable);
  const keptBefore = new Set(decideRetention(before, rules, now).backups.flatMap(({ name, stays }) => (stays ? [name] : [])));
  const needsBefore = earlier.flatMap((some) => decideRetention(some, rules, now).wal ?? []);
  return {
    backups: new Set(goesNow.doomed.flatMap(({ name }) => (keptBefore.has(name) ? [name] : []))),
    letsGo: (wal) => needsBefore.some((needs) => judgeWal(wal, needs).stays) && !isNeeded(wal, goesNow.wal),
  };
}

function isNeeded(wal: StoredSegment, needs: WalNeeds | undefined): boolean {
  return needs === undefined || judgeWal(wal, needs).stays;
}
