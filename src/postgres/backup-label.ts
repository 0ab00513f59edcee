import { OperatorError } from '../lib/errors.ts';
import { type Lsn, parseLsn } from './lsn.ts';

/** What the server was that a base backup was taken from. */
export type BackupFrom = 'primary' | 'standby';

/** What PostgreSQL says in `backup_label` about the backup it belongs to. */
export interface BackupLabel {
  readonly startWalLocation: Lsn;
  /** Name of the segment that holds the start location. */
  readonly startWalSegment: string;
  readonly checkpointLocation: Lsn;
  /** `streamed` or `pg_start_backup`. */
  readonly backupMethod?: string;
  readonly backupFrom?: BackupFrom;
  readonly startTime: Date;
  readonly label?: string;
  readonly timeline?: number;
}

export interface BackupLabelOptions {
  /**
   * The start time to use where the label states its own in a zone that cannot be known from its abbreviation (IST is used in three
   * countries). Without it such a label is refused.
   */
  readonly startTimeFallback?: Date;
}

/** Reads a `backup_label` (xlogbackup.c, build_backup_content; PostgreSQL 9.2 and later). Throws `backup-label-invalid`. */
export function parseBackupLabel(text: string, options: BackupLabelOptions = {}): BackupLabel {
  const start = /^START WAL LOCATION: ([0-9A-F]+\/[0-9A-F]+) \(file ([0-9A-F]{24})\)\r?$/m.exec(text);
  if (!start) throw invalid('it has no START WAL LOCATION');
  const checkpoint = lineOf(text, 'CHECKPOINT LOCATION');
  if (checkpoint === undefined) throw invalid('it has no CHECKPOINT LOCATION');
  const backupMethod = lineOf(text, 'BACKUP METHOD');
  const backupFrom = backupFromOf(lineOf(text, 'BACKUP FROM'));
  const label = lineOf(text, 'LABEL');
  const timeline = lastLineOf(text, 'START TIMELINE');
  return {
    startWalLocation: positionIn('START WAL LOCATION', start[1] as string),
    startWalSegment: start[2] as string,
    checkpointLocation: positionIn('CHECKPOINT LOCATION', checkpoint),
    startTime: startTimeOf(text, options),
    ...(backupMethod === undefined ? {} : { backupMethod }),
    ...(backupFrom === undefined ? {} : { backupFrom }),
    ...(label === undefined ? {} : { label }),
    ...(timeline === undefined ? {} : { timeline: Number(timeline) }),
  };
}

/** Before PostgreSQL 14 a primary was called `master`. */
function backupFromOf(text: string | undefined): BackupFrom | undefined {
  return text === undefined ? undefined : text === 'standby' ? 'standby' : 'primary';
}

function positionIn(keyword: string, text: string): Lsn {
  try {
    return parseLsn(text);
  } catch (error) {
    throw invalid(`its ${keyword} is no WAL position`, error);
  }
}

function startTimeOf(text: string, { startTimeFallback }: BackupLabelOptions): Date {
  const stated = lineOf(text, 'START TIME');
  const time = stated === undefined ? undefined : parseLabelTime(stated);
  const startTime = time ?? startTimeFallback;
  if (startTime !== undefined) return startTime;
  throw invalid(
    stated === undefined ? 'it has no START TIME' : `its START TIME ${JSON.stringify(stated)} is not in UTC, nor with a numeric offset`,
  );
}

/** `2026-11-22 23:39:52 UTC`, `2026-11-22 20:39:52 -03`; `undefined` where the zone is a mere abbreviation. */
function parseLabelTime(text: string): Date | undefined {
  const match = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) (UTC|GMT|UCT|Z|([+-]\d\d)(?::?(\d\d))?)$/.exec(text);
  if (!match) return undefined;
  const [, day, time, , hours, minutes] = match;
  const date = new Date(`${day}T${time}${hours === undefined ? 'Z' : `${hours}:${minutes ?? '00'}`}`);
  return Number.isNaN(date.getTime()) ? undefined : date;
}

function lineOf(text: string, keyword: string): string | undefined {
  return new RegExp(`^${keyword}: (.*?)\\r?$`, 'm').exec(text)?.[1];
}

/** The label is free text and stands before the timeline, so that it could hold a line that looks like it. */
function lastLineOf(text: string, keyword: string): string | undefined {
  return [...text.matchAll(new RegExp(`^${keyword}: (\\d+)\\r?$`, 'gm'))].at(-1)?.[1];
}

function invalid(what: string, cause?: unknown): OperatorError {
  return new OperatorError('backup-label-invalid', `the backup_label cannot be used: ${what}`, cause === undefined ? {} : { cause });
}
