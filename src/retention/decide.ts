/** What the decision needs to know of a base backup. */
export interface RetainableBackup {
  readonly name: string;
  readonly startTime: Date;
  /** 24 hex digits. */
  readonly startWalSegment: string;
  /** Undefined: not preserved. */
  readonly preservedUntil: Date | undefined;
}

/** How many and how old; names and meaning as in the configuration. */
export interface RetentionRules {
  /** Undefined: any number. */
  readonly countMax: number | undefined;
  /** Undefined: any age. Counts from the moment the next backup was due. */
  readonly ageDaysMax: number | undefined;
  /** Age never leaves fewer than these; 0 switches the rule of age off. */
  readonly countMin: number;
  readonly intervalHours: number;
}

export interface Doomed {
  readonly name: string;
  readonly because: string;
}

export interface RetentionDecision {
  /** Oldest first. Never all there are. */
  readonly doomed: readonly Doomed[];
  /** The position (last 16 hex digits of a WAL name) before which no kept backup needs WAL; undefined: all WAL stays. */
  readonly walNeededFrom: string | undefined;
}

const dayMs = 86_400_000;

/** Decides which backups go. The oldest go first; a preserved one stays and does not protect the others; the newest always stays. */
export function decideRetention(backups: readonly RetainableBackup[], rules: RetentionRules, now: Date): RetentionDecision {
  const ascending = backups.toSorted((a, b) => a.startTime.getTime() - b.startTime.getTime());
  const candidates = ascending.slice(0, -1).filter((backup) => (backup.preservedUntil ?? now) <= now);
  const doomed: Doomed[] = [];
  for (const backup of candidates) {
    const because = reasonToGo(backup, ascending.length - doomed.length, rules, now);
    if (because === undefined) break;
    doomed.push({ name: backup.name, because });
  }
  const gone = new Set(doomed.map((backup) => backup.name));
  return { doomed, walNeededFrom: oldestPosition(ascending.filter((backup) => !gone.has(backup.name))) };
}

/**
 * Whether a kept backup may need this WAL segment. Positions grow along every timeline, so a segment below the start of
 * every kept backup is of no use to any of them, whatever its timeline.
 */
export function isWalNeeded(segment: string, walNeededFrom: string): boolean {
  return positionOf(segment) >= walNeededFrom;
}

function reasonToGo(backup: RetainableBackup, left: number, rules: RetentionRules, now: Date): string | undefined {
  if (rules.countMax !== undefined && left > rules.countMax)
    return `there are ${left} base backups, ${rules.countMax} are kept (basebackup_count)`;
  if (rules.ageDaysMax === undefined || rules.countMin === 0 || left <= rules.countMin) return undefined;
  const ageDays = (now.getTime() - backup.startTime.getTime() - rules.intervalHours * 3_600_000) / dayMs;
  if (ageDays <= rules.ageDaysMax) return undefined;
  return `it is ${ageDays.toFixed(1)} days old, ${rules.ageDaysMax} are kept (basebackup_age_days_max)`;
}

/** The position before which none of these backups needs WAL; undefined where there are none. */
export function oldestPosition(kept: readonly Pick<RetainableBackup, 'startWalSegment'>[]): string | undefined {
  return kept.map((backup) => positionOf(backup.startWalSegment)).toSorted()[0];
}

function positionOf(segment: string): string {
  return segment.slice(8, 24);
}
