import { createHash } from 'node:crypto';
import type { RetainableBackup, RetentionDecision } from './decide.ts';
import type { WalStretch } from './survey-wal.ts';

/** What a pass is going to delete. */
export interface Deletion {
  readonly doomed: readonly string[];
  /** What is needed of the WAL, as text: it says which WAL goes. */
  readonly wal: string;
}

/** A deletion that somebody has to say is meant. */
export interface PendingConfirmation extends Deletion {
  /** Names just this deletion. */
  readonly digest: string;
  readonly because: string;
}

export interface PlannedDeletion {
  readonly backups: readonly RetainableBackup[];
  readonly decision: RetentionDecision;
  readonly survey: readonly WalStretch[];
  readonly intervalHours: number;
}

const hourMs = 3_600_000;
const digestLength = 12;
/** WAL of so many base backups may go in one pass, however much of all it is: a site that keeps two deletes half of its WAL each time. */
const intervalsMax = 2;
/** So does a new site, with what it archived before its first base backup, when base backups are only taken on request. */
const unaskedMs = 24 * hourMs;

/** Undefined for what happens day after day. */
export function confirmationFor(plan: PlannedDeletion): PendingConfirmation | undefined {
  const reasons = [...tooManyBackups(plan), ...tooMuchWal(plan)];
  if (reasons.length === 0) return undefined;
  const deletion = deletionOf(plan.decision);
  const digest = createHash('sha256').update(JSON.stringify(deletion)).digest('hex').slice(0, digestLength);
  return { ...deletion, digest, because: reasons.join(', and ') };
}

/** Whether what is to be deleted now is what was confirmed, or what an interruption has left of it. */
export function isCovered(now: Deletion, confirmed: Deletion | undefined): boolean {
  return confirmed !== undefined && now.wal === confirmed.wal && now.doomed.every((name) => confirmed.doomed.includes(name));
}

function deletionOf({ doomed, wal }: RetentionDecision): Deletion {
  const needs = (wal?.needs ?? []).map(({ from, until, storedUntil }) => [from, until ?? storedUntil?.toISOString() ?? '']);
  return { doomed: doomed.map(({ name }) => name).toSorted(), wal: JSON.stringify(needs) };
}

function tooManyBackups({ backups, decision: { doomed } }: PlannedDeletion): string[] {
  if (doomed.length * 2 <= backups.length) return [];
  return [`${doomed.length} of ${backups.length} base backups would be deleted`];
}

/** Such as where base backups have got lost, so that nothing seems to need their WAL. */
function tooMuchWal({ backups, survey, intervalHours }: PlannedDeletion): string[] {
  const going = survey.filter(({ stays }) => !stays);
  const [bytes, all] = [bytesOf(going), bytesOf(survey)];
  if (bytes * 2 <= all) return [];
  const spanMs = newestOf(going) - oldestOf(going);
  if (spanMs <= Math.max(unaskedMs, intervalsMax * Math.max(intervalHours * hourMs, longestPauseMs(backups)))) return [];
  return [`${percent(bytes, all)} % of the WAL would be deleted, stored in the course of ${Math.round(spanMs / hourMs)} hours`];
}

function longestPauseMs(backups: readonly RetainableBackup[]): number {
  const starts = backups.map(({ startTime }) => startTime.getTime()).toSorted((a, b) => a - b);
  return Math.max(0, ...starts.slice(1).map((start, index) => start - (starts[index] ?? start)));
}

function oldestOf(stretches: readonly WalStretch[]): number {
  return Math.min(...stretches.map(({ storedFirst }) => storedFirst.getTime()));
}

function newestOf(stretches: readonly WalStretch[]): number {
  return Math.max(...stretches.map(({ storedLast }) => storedLast.getTime()));
}

function bytesOf(stretches: readonly WalStretch[]): number {
  return stretches.reduce((sum, { bytes }) => sum + bytes, 0);
}

function percent(part: number, whole: number): number {
  return Math.round((100 * part) / whole);
}
