import type { BasebackupEntry } from '../catalog/basebackup-entry.ts';
import type { BasebackupListing } from '../catalog/catalog.ts';
import { preservedUntil } from '../catalog/preservation.ts';
import { type UnfinishedBasebackup, unfinishedBasebackups } from '../catalog/unfinished-basebackups.ts';
import { inOrder } from './backup-order.ts';
import { confirmationFor, type PendingConfirmation } from './confirmation.ts';
import { decideRetention, type RetainableBackup, type RetentionDecision, type RetentionRules } from './decide.ts';
import { retainable, walDoubtsOf } from './retainable.ts';
import { routineOf } from './routine.ts';
import { soundTime } from './sound-time.ts';
import type { HistoryDeps } from './stored-histories.ts';
import { surveyWal, type WalStretch } from './survey-wal.ts';
import { inOrderOfBeginning, positionOf, type WalNeed, type WalNeeds } from './wal-need.ts';

/** What a pass finds and decides, before it deletes anything. */
export interface RetentionPlan {
  readonly backups: readonly RetainableBackup[];
  /** Until when base backups are preserved, by name. */
  readonly preserved: ReadonlyMap<string, Date>;
  readonly decision: RetentionDecision;
  /** What is needed of the WAL by everybody; undefined: all stays. */
  readonly needs: WalNeeds | undefined;
  /** All stored WAL. */
  readonly survey: readonly WalStretch[];
  /** What stays that would go if the newest base backup could be restored, and why: then nothing goes. */
  readonly waitsFor: string | undefined;
  /** Somebody has to say that it is meant. */
  readonly confirmation: PendingConfirmation | undefined;
}

export interface PlanRequest {
  readonly listing: BasebackupListing;
  /** Base backups of sites that this one was moved from, which need WAL of it. */
  readonly elsewhere: readonly BasebackupEntry[];
  readonly rules: RetentionRules;
  readonly now: Date;
}

export type PlanDeps = HistoryDeps;

const beginningOfAll = '0'.repeat(16);
/** Chunks without a main object may for so long belong to a backup that is being taken on another host. */
export const unfinishedMs = 7 * 86_400_000;

/** Whether a base backup would go if all that there are could be restored: cheap, as it does not look at their WAL. */
export async function isAnythingDoomed(request: PlanRequest, { catalog, signal }: PlanDeps): Promise<boolean> {
  const preserved = await preservedUntil(catalog, signal);
  const backups = request.listing.entries.map((entry) => retainable(entry, { preserved }));
  return decideRetention(backups, request.rules, request.now).doomed.length > 0;
}

/** Finds out all that the decision depends on, and makes it. Lists all WAL. Changes nothing. */
export async function planRetention(request: PlanRequest, deps: PlanDeps): Promise<RetentionPlan> {
  const { listing, elsewhere, rules, now } = request;
  const { catalog, signal } = deps;
  const [preserved, doubts] = [await preservedUntil(catalog, signal), await walDoubtsOf(listing.entries, deps)];
  const backups = listing.entries.map((entry) => retainable(entry, { preserved, doubts }));
  const decision = decideRetention(backups, rules, now);
  const unfinished: WalNeed[] = [];
  for await (const each of unfinishedBasebackups(catalog, signal)) {
    if (mayBeRunning(each, backups, soundTime(listing.entries, now))) unfinished.push(needOfUnfinished(each, backups));
  }
  const others = elsewhere.map(needOfAll);
  const needs = listing.unreadable.length > 0 ? undefined : withNeeds(decision.wal, [...unfinished, ...others]);
  const routine = routineOf(backups, rules, now);
  const survey = await surveyWal(catalog, { needs, isUsual: routine.letsGo }, signal);
  const waitsFor = waitingFor(decision, backups, request);
  const planned = { backups, decision: { ...decision, wal: needs }, routine: routine.backups, survey, intervalHours: rules.intervalHours };
  const confirmation = confirmationFor(planned);
  return { backups, preserved, decision, needs, survey, waitsFor, confirmation };
}

export function withNeeds(wal: WalNeeds | undefined, more: readonly WalNeed[]): WalNeeds | undefined {
  return wal && { ...wal, needs: inOrderOfBeginning([...wal.needs, ...more]) };
}

/** All WAL from its beginning on. */
export function needOfAll({ name: by, startWalSegment }: Pick<RetainableBackup, 'name' | 'startWalSegment'>): WalNeed {
  return { by, from: positionOf(startWalSegment) };
}

/** What has stored nothing since the next one was begun has been given up, or was complete once and is being deleted. */
function mayBeRunning({ begun, touched }: UnfinishedBasebackup, backups: readonly RetainableBackup[], now: Date): boolean {
  const later = backups.map(({ startTime }) => startTime.getTime()).filter((start) => start > begun.getTime());
  const isLast = later.length === 0 || touched.getTime() >= Math.min(...later);
  return isLast && now.getTime() - touched.getTime() < unfinishedMs;
}

/** Nobody knows where it began, but not before the base backup that was begun before it. */
function needOfUnfinished({ name, begun }: UnfinishedBasebackup, backups: readonly RetainableBackup[]): WalNeed {
  const before = inOrder(backups).findLast(({ backup }) => backup.startTime <= begun)?.backup;
  return { by: `${name} (unfinished)`, from: before === undefined ? beginningOfAll : positionOf(before.startWalSegment) };
}

function waitingFor(decision: RetentionDecision, backups: readonly RetainableBackup[], { rules, now }: PlanRequest): string | undefined {
  const newest = inOrder(backups).at(-1)?.backup;
  const because = newest?.flaw ?? newest?.doubt;
  if (newest === undefined || because === undefined) return undefined;
  const mended = backups.map((backup) => (backup === newest ? { ...backup, flaw: undefined, doubt: undefined } : backup));
  const ideal = decideRetention(mended, rules, now);
  const stays = new Set(decision.backups.filter((backup) => backup.stays).map(({ name }) => name));
  const waiting = ideal.doomed.filter(({ name }) => stays.has(name)).map(({ name }) => name);
  if (waiting.length === 0) return undefined;
  return `the base ${waiting.length === 1 ? 'backup' : 'backups'} ${waiting.join(', ')} ${waiting.length === 1 ? 'stays' : 'stay'} until the newest one, ${newest.name}, can be restored: ${because}`;
}
