/** What tells when a base backup was taken. */
export interface TakenBackup {
  readonly name: string;
  /** As the clock of its host had it. */
  readonly startTime: Date;
  /** 24 hex digits. */
  readonly startWalSegment: string;
}

export interface Placed<Backup> {
  readonly backup: Backup;
  /** When it was taken: not before any backup that lies before it on its timeline, whatever the clock said. */
  readonly time: Date;
}

/**
 * Base backups in the order in which they were taken. Clocks may be wrong, WAL positions of a timeline only grow: a backup whose
 * clock was a year behind is not the oldest, and must not be the first to go.
 */
export function inOrder<Backup extends TakenBackup>(backups: readonly Backup[]): readonly Placed<Backup>[] {
  const latestOn = new Map<string, Date>();
  const placed = backups.toSorted(byPosition).map((backup) => {
    const timeline = backup.startWalSegment.slice(0, 8);
    const time = later(backup.startTime, latestOn.get(timeline));
    latestOn.set(timeline, time);
    return { backup, time };
  });
  return placed.toSorted((a, b) => a.time.getTime() - b.time.getTime() || byPosition(a.backup, b.backup));
}

/** Older timelines first, then by position: what no clock can change. */
export function byPosition(a: TakenBackup, b: TakenBackup): number {
  return compare(a.startWalSegment, b.startWalSegment) || a.startTime.getTime() - b.startTime.getTime() || compare(a.name, b.name);
}

function later(a: Date, b: Date | undefined): Date {
  return b !== undefined && b > a ? b : a;
}

function compare(a: string, b: string): number {
  return Number(a > b) - Number(a < b);
}
