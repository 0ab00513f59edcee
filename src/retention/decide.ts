import { byPosition, inOrder, type Placed } from './backup-order.ts';
import { type KeepRule, keptByPeriod } from './keep-periods.ts';
import { inOrderOfBeginning, positionOf, type WalNeed, type WalNeeds } from './wal-need.ts';

/** What the decision needs to know of a base backup. */
export interface RetainableBackup {
  readonly name: string;
  readonly startTime: Date;
  readonly endTime?: Date | undefined;
  /** When its last object was stored. */
  readonly completed: Date;
  /** 24 hex digits. */
  readonly startWalSegment: string;
  /** Unknown for what old versions took on a standby or by pg_basebackup. */
  readonly endWalSegment?: string | undefined;
  /** It can be restored without any stored WAL. */
  readonly holdsItsWal?: boolean;
  readonly preservedUntil?: Date | undefined;
  /** Why it cannot be restored, such as WAL that is missing: then it is no reason to let another one go. */
  readonly flaw?: string | undefined;
  /** Why nobody can tell whether it can be restored: then neither is it. */
  readonly doubt?: string | undefined;
}

/** Which base backups stay; names and meaning as in the configuration. */
export interface RetentionRules {
  /** Undefined: any number. */
  readonly countMax: number | undefined;
  /** Undefined: any age. Counts from the moment the next backup was due. */
  readonly ageDaysMax: number | undefined;
  /** Age never leaves fewer than these; 0 switches the rule of age off. */
  readonly countMin: number;
  readonly intervalHours: number;
  /** Any second of so many days can be restored. */
  readonly windowDays?: number | undefined;
  readonly keep?: KeepRule | undefined;
  /** In which the days, weeks, months and years of `keep` begin. */
  readonly timeZone?: string;
}

export interface BackupVerdict {
  readonly name: string;
  readonly stays: boolean;
  readonly because: string;
  /** Which WAL stays for it: all that follows its start, or only what makes it consistent. */
  readonly wal: 'onwards' | 'its own' | 'none';
}

export interface RetentionDecision {
  /** Oldest first. */
  readonly backups: readonly BackupVerdict[];
  /** Those that go, oldest first. Never all there are. */
  readonly doomed: readonly BackupVerdict[];
  /** Undefined: all WAL stays. */
  readonly wal: WalNeeds | undefined;
  /** What was taken for now: the clock, as far as it can be believed. */
  readonly time: Date;
}

interface Candidate extends Placed<RetainableBackup> {
  /** Newer ones that can be restored. */
  readonly newer: number;
}

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** A base backup of which it is not known where it ends has its WAL stored so long after it was complete. */
const lateWalMs = dayMs;
/** So long before the newest base backup a timeline may have been left that none leads to. */
const strandedMs = 7 * dayMs;

/**
 * Decides which base backups go and which WAL they leave needed. A backup stays as long as any rule wants it. No clock, no store: the same
 * backups give the same decision, in whatever order they come.
 */
export function decideRetention(backups: readonly RetainableBackup[], rules: RetentionRules, now: Date): RetentionDecision {
  const order = inOrder(backups);
  const time = believedTime(order, now);
  const candidates = withNewer(order);
  const newest = newestOnes(order);
  const window = windowOf(order, rules, time);
  const periods = periodsOf(order, rules);
  const verdicts = candidates.map((candidate): BackupVerdict => {
    const { backup } = candidate;
    const { name, preservedUntil } = backup;
    const reasons = [
      ...(newest.has(name) ? ['it is the newest'] : []),
      ...(preservedUntil !== undefined && preservedUntil > time ? [`it is preserved until ${preservedUntil.toISOString()}`] : []),
      ...(window.has(name) ? [window.get(name) ?? ''] : []),
    ];
    const limit = limitFor(candidate, rules, time);
    if (limit.stays) reasons.push(limit.because);
    const kept = periods.get(name) ?? [];
    const because = [...reasons, ...(kept.length === 0 ? [] : [`it is the last of ${kept.join(', ')} (keep)`])];
    if (because.length === 0) return { name, stays: false, because: limit.because, wal: 'none' };
    const wal = reasons.length > 0 ? 'onwards' : backup.holdsItsWal ? 'none' : 'its own';
    return { name, stays: true, because: because.join('; '), wal };
  });
  return { backups: verdicts, doomed: verdicts.filter(({ stays }) => !stays), wal: walNeedsOf(order, verdicts, time), time };
}

function withNewer(order: readonly Placed<RetainableBackup>[]): readonly Candidate[] {
  let newer = order.filter(isGood).length;
  return order.map((each) => {
    if (isGood(each)) newer--;
    return { ...each, newer };
  });
}

/**
 * The clock, but not ahead of the newest base backup: without new ones nothing grows old. So one that is wrong by a year, or a host that has
 * slept for a month, lets nothing go. When that one was complete is what the store says: a base backup that a wrong clock dated does not make it right.
 */
function believedTime(order: readonly Placed<RetainableBackup>[], now: Date): Date {
  const newestMs = Math.max(0, ...order.map(({ backup }) => backup.completed.getTime()));
  return new Date(Math.min(now.getTime(), newestMs));
}

/** Of those that can be restored the newest, by every way to tell: they stay whatever a rule or a clock says. And those behind them. */
function newestOnes(order: readonly Placed<RetainableBackup>[]): ReadonlySet<string> {
  const good = order.filter(isGood).map(({ backup }) => backup);
  const behind = order.slice(order.findLastIndex(isGood) + 1).map(({ backup }) => backup);
  const byTime = good.toSorted((a, b) => a.startTime.getTime() - b.startTime.getTime());
  const found = [good.at(-1), byTime.at(-1), good.toSorted(byPosition).at(-1), ...behind];
  return new Set(found.flatMap((backup) => (backup === undefined ? [] : [backup.name])));
}

/** What count and age say. Where a window or `keep` is set, and neither count nor age, what is outside of those goes. */
function limitFor({ time, newer }: Candidate, rules: RetentionRules, now: Date): { stays: boolean; because: string } {
  const { countMax, ageDaysMax, countMin, intervalHours } = rules;
  if (countMax !== undefined && newer >= countMax) {
    return { stays: false, because: `${countMax} newer ones are kept (basebackup_count)` };
  }
  const hasAge = ageDaysMax !== undefined && countMin > 0;
  if (hasAge && newer >= countMin) {
    const ageDays = (now.getTime() - time.getTime() - intervalHours * hourMs) / dayMs;
    if (ageDays <= ageDaysMax) return { stays: true, because: `it is not older than ${ageDaysMax} days (basebackup_age_days_max)` };
    return { stays: false, because: `it is ${ageDays.toFixed(1)} days old, ${ageDaysMax} are kept (basebackup_age_days_max)` };
  }
  if (countMax !== undefined) return { stays: true, because: `it is one of the newest ${countMax} (basebackup_count)` };
  if (!hasAge && rules.windowDays === undefined && rules.keep === undefined) {
    return { stays: true, because: 'nothing limits how many are kept' };
  }
  const least = Math.max(countMin, 1);
  if (newer < least) return { stays: true, because: `it is one of the newest ${least} (basebackup_count_min)` };
  return { stays: false, because: `it is outside of ${wishesOf(rules)}` };
}

function wishesOf({ windowDays, keep }: RetentionRules): string {
  return [...(windowDays === undefined ? [] : ['recovery_window_days']), ...(keep === undefined ? [] : ['keep'])].join(' and ');
}

/** The newest base backup that had ended when the window begins, and all that follow; where none had, all. Values are reasons. */
function windowOf(order: readonly Placed<RetainableBackup>[], rules: RetentionRules, now: Date): ReadonlyMap<string, string> {
  const { windowDays } = rules;
  if (windowDays === undefined) return new Map();
  const begin = new Date(now.getTime() - windowDays * dayMs);
  const first = order.findLastIndex((each, index) => isGood(each) && endOf(each, order[index + 1]) <= begin);
  const because = `the last ${windowDays} days begin with it (recovery_window_days)`;
  const inside = `it lies within the last ${windowDays} days (recovery_window_days)`;
  const kept = order.slice(Math.max(first, 0));
  return new Map(kept.map(({ backup: { name } }, index) => [name, index === 0 && first >= 0 ? because : inside]));
}

/** When it had ended at the latest. An end before the beginning is of another clock, and says nothing. */
function endOf({ backup, time }: Placed<RetainableBackup>, next: Placed<RetainableBackup> | undefined): Date {
  const told = backup.endTime !== undefined && backup.endTime >= backup.startTime ? backup.endTime : undefined;
  const known = told ?? (next !== undefined && next.time < backup.completed ? next.time : backup.completed);
  return known > time ? known : time;
}

/** Those that nobody can tell of count apart: what was good once may have lost its proof with the base backup that gave it. */
function periodsOf(order: readonly Placed<RetainableBackup>[], { keep, timeZone = 'UTC' }: RetentionRules) {
  if (keep === undefined) return new Map<string, readonly string[]>();
  const keptOf = (some: readonly Placed<RetainableBackup>[]) =>
    keptByPeriod(
      some.map(({ backup: { name }, time }) => ({ name, time })),
      keep,
      timeZone,
    );
  return new Map([...keptOf(order.filter(isGood)), ...keptOf(order.filter(isDoubtful))]);
}

function walNeedsOf(order: readonly Placed<RetainableBackup>[], verdicts: readonly BackupVerdict[], now: Date): WalNeeds | undefined {
  const kept = order.filter((_, index) => verdicts[index]?.stays).map(({ backup }) => backup);
  const newest = order.at(-1);
  if (newest === undefined) return undefined;
  const kinds = new Map(verdicts.map(({ name, wal }) => [name, wal]));
  return {
    needs: inOrderOfBeginning(kept.flatMap((backup) => needOf(backup, kinds.get(backup.name)))),
    newestTimeline: kept.map(({ startWalSegment }) => startWalSegment.slice(0, 8)).reduce((a, b) => (a > b ? a : b), ''),
    strandedSince: new Date(Math.min(newest.time.getTime(), now.getTime()) - strandedMs),
  };
}

function needOf(backup: RetainableBackup, kind: BackupVerdict['wal'] | undefined): WalNeed[] {
  const { name: by, startWalSegment, endWalSegment, completed } = backup;
  const from = positionOf(startWalSegment);
  if (kind === 'onwards') return [{ by, from }];
  if (kind !== 'its own') return [];
  if (endWalSegment !== undefined) return [{ by, from, until: positionOf(endWalSegment) }];
  return [{ by, from, storedUntil: new Date(completed.getTime() + lateWalMs) }];
}

function isGood({ backup }: Placed<RetainableBackup>): boolean {
  return backup.flaw === undefined && backup.doubt === undefined;
}

function isDoubtful({ backup }: Placed<RetainableBackup>): boolean {
  return backup.flaw === undefined && backup.doubt !== undefined;
}
