import { createHash } from 'node:crypto';
import type { RetainableBackup, RetentionDecision } from './decide.ts';
import { everydayMs } from './routine.ts';
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
  /** Names of base backups that go as others do every day. */
  readonly routine: ReadonlySet<string>;
  readonly survey: readonly WalStretch[];
  readonly intervalHours: number;
}

const hourMs = 3_600_000;
const digestLength = 12;

/** Undefined for what happens day after day, however much of all that is: a site that keeps two base backups deletes half of its WAL each time. */
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

function tooManyBackups({ backups, decision: { doomed }, routine }: PlannedDeletion): string[] {
  if (doomed.length * 2 <= backups.length || doomed.every(({ name }) => routine.has(name))) return [];
  return [`${doomed.length} of ${backups.length} base backups would be deleted`];
}

/** Such as where base backups have got lost, so that nothing seems to need their WAL. */
function tooMuchWal({ survey, intervalHours }: PlannedDeletion): string[] {
  const going = survey.filter(({ stays }) => !stays);
  const [bytes, all] = [bytesOf(going), bytesOf(survey)];
  if (bytes * 2 <= all) return [];
  const unusualMs = going.reduce((sum, { unusual }) => sum + (unusual === undefined ? 0 : spanMs(unusual)), 0);
  if (unusualMs <= everydayMs(intervalHours)) return [];
  return [`${percent(bytes, all)} % of the WAL would be deleted, stored in the course of ${Math.round(unusualMs / hourMs)} hours`];
}

function spanMs({ storedFirst, storedLast }: Pick<WalStretch, 'storedFirst' | 'storedLast'>): number {
  return storedLast.getTime() - storedFirst.getTime();
}

function bytesOf(stretches: readonly WalStretch[]): number {
  return stretches.reduce((sum, { bytes }) => sum + bytes, 0);
}

function percent(part: number, whole: number): number {
  return Math.round((100 * part) / whole);
}
