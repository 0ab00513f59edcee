import { OperatorError } from '../lib/errors.ts';
import { formatLsn, type Lsn } from '../postgres/lsn.ts';
import { nextWalName, startLsnOf } from '../postgres/wal-name.ts';
import { formatTargetTime, isAfterTarget, type TargetTime } from './target-time.ts';

/** Where recovery stops. `latest` is the end of the archive, `immediate` the moment at which the base backup ended. */
export type RecoveryTarget =
  | { readonly kind: 'latest' }
  | { readonly kind: 'immediate' }
  | ({ readonly kind: 'time'; readonly time: TargetTime } & Inclusion)
  | ({ readonly kind: 'xid'; readonly xid: string } & Inclusion)
  | ({ readonly kind: 'lsn'; readonly lsn: Lsn } & Inclusion)
  | { readonly kind: 'name'; readonly name: string };

interface Inclusion {
  /** Recovery stops just before what it comes to there. */
  readonly isExclusive?: boolean;
}

/** What the choice needs to know of a base backup. */
export interface Choosable {
  /** Full object key. */
  readonly key: string;
  /** Without folder and suffix. */
  readonly name: string;
  readonly startTime: Date;
  /** Unknown for backups that pg_basebackup took; their start time stands in. */
  readonly endTime?: Date;
  readonly startWalSegment: string;
  /** The last segment that it needs, where that is known. */
  readonly endWalSegment?: string;
  /** Where it is consistent, where that is known. */
  readonly endLsn?: Lsn;
}

export interface Wish {
  /** `latest`, or a key or name as {@link namesBackup} takes it. */
  readonly basebackup: string;
  readonly target: RecoveryTarget;
  /** Of the WAL, for a target that is a position in it. */
  readonly segmentBytes?: number | undefined;
}

export interface Choice<T extends Choosable> {
  readonly backup: T;
  /** All that would have done, newest first. */
  readonly applicable: readonly T[];
}

/** How many neighbours an error lists. */
const nearestMax = 4;

/**
 * The newest base backup from which the target can be reached: by the time it ended, compared as moments and never as text.
 * For a transaction id or a restore point nothing tells when it was, so the newest is taken unless one is named.
 * A named backup is always honoured, and refused where it ended after the target.
 */
export function chooseBasebackup<T extends Choosable>(backups: readonly T[], wish: Wish, now: Date): Choice<T> {
  if (backups.length === 0) throw noneAtAll();
  const { target } = wish;
  if (target.kind === 'time' && !isAfterTarget(now, target.time)) throw inTheFuture(target.time, now);
  const named = wish.basebackup === 'latest' ? backups : backups.filter((backup) => namesBackup(wish.basebackup, backup));
  if (named.length === 0) throw noSuchBackup(wish.basebackup, backups);
  const reaching = named.filter((backup) => mayReach(backup, wish));
  const applicable = newestFirst(reaching);
  const [backup] = applicable;
  if (backup === undefined) throw noneReaches(target, wish.basebackup, backups);
  return { backup, applicable };
}

/** What nobody can tell is left to recovery itself. Without a note of its end, a position in the last segment that a base backup needs may lie before it. */
function mayReach(backup: Choosable, { target, segmentBytes }: Wish): boolean {
  if (target.kind === 'time') return !isAfterTarget(endOf(backup), target.time);
  if (target.kind !== 'lsn') return true;
  if (backup.endLsn !== undefined) return backup.endLsn <= target.lsn;
  if (segmentBytes === undefined) return true;
  const last = backup.endWalSegment;
  if (last === undefined) return startLsnOf(backup.startWalSegment, segmentBytes) < target.lsn;
  return startLsnOf(nextWalName(last, segmentBytes), segmentBytes) <= target.lsn;
}

/** Whether `wanted` means this backup: its full key, with or without `.00000000.pghoard`, or its bare name. */
export function namesBackup(wanted: string, backup: Choosable): boolean {
  const bare = wanted.replace(/\.00000000\.pghoard$/, '');
  return bare === backup.name || bare === backup.key.replace(/\.00000000\.pghoard$/, '');
}

/** The first moment from which recovery of this backup can stop, as far as it is known. */
export function endOf(backup: Choosable): Date {
  return backup.endTime ?? backup.startTime;
}

function newestFirst<T extends Choosable>(backups: readonly T[]): T[] {
  return backups.toSorted((a, b) => endOf(b).getTime() - endOf(a).getTime() || (a.key < b.key ? 1 : -1));
}

function noneAtAll(): OperatorError {
  return new OperatorError('no-basebackup', 'there is no base backup to restore: none is complete in the store', {
    hint: 'Check --site and the prefix and object_storage of its configuration.',
  });
}

function noSuchBackup(wanted: string, backups: readonly Choosable[]): OperatorError {
  return new OperatorError('basebackup-missing', `there is no base backup '${wanted}' in the store`, {
    hint: `The newest are ${listed(newestFirst(backups).slice(0, nearestMax))}.`,
  });
}

function wordsOf(target: RecoveryTarget): string {
  if (target.kind === 'time') return formatTargetTime(target.time);
  return target.kind === 'lsn' ? formatLsn(target.lsn) : target.kind;
}

function noneReaches(target: RecoveryTarget, wanted: string, backups: readonly Choosable[]): OperatorError {
  const subject = wanted === 'latest' ? 'no base backup' : `the base backup '${wanted}' does not reach the target: it`;
  const ended = wanted === 'latest' ? 'had ended by' : 'ended after';
  return new OperatorError('target-before-basebackup', `${subject} ${ended} ${wordsOf(target)}`, {
    hint: `Recovery goes forward from the end of a base backup. Nearest: ${listed(nearestTo(target, backups))}.`,
  });
}

function inTheFuture(time: TargetTime, now: Date): OperatorError {
  return new OperatorError('target-in-future', `the recovery target time ${formatTargetTime(time)} is not over yet`, {
    hint: `It is ${now.toISOString()} here. Leave the target out to recover to the end of the archive, and check the time zone given.`,
  });
}

function nearestTo(target: RecoveryTarget, backups: readonly Choosable[]): Choosable[] {
  const epochMs = target.kind === 'time' ? target.time.epochMs : 0;
  const distance = (backup: Choosable) => Math.abs(endOf(backup).getTime() - epochMs);
  return backups.toSorted((a, b) => distance(a) - distance(b)).slice(0, nearestMax);
}

function listed(backups: readonly Choosable[]): string {
  return backups.map((backup) => `${backup.key} (${backup.endTime ? 'ended' : 'started'} ${endOf(backup).toISOString()})`).join(', ');
}
