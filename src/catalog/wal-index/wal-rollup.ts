import { z } from 'zod';
import { OperatorError } from '../../lib/errors.ts';
import { minutesOf, type WalActivity } from './wal-activity.ts';

/** What the indexes of a block of segments tell together, so that months of WAL need few requests. */
export interface WalRollup {
  /** Names of the first and the last segment that are in it. */
  readonly first: string;
  readonly last: string;
  /** How many are: some may be missing in between. */
  readonly segments: number;
  readonly activity: WalActivity;
}

/** What stands in the name of one, so that a listing tells which are of interest. */
export interface RollupName {
  readonly name: string;
  readonly last: string;
  readonly segments: number;
  /** All of it lies between these, both included; undefined where nothing happened. */
  readonly minutes: { readonly from: number; readonly to: number } | undefined;
  readonly restorePoints: number;
}

/** How many segments of a timeline make a block: those whose numbers are the same but for so many. */
export const blockSegments = 512n;

const pattern = /^([0-9A-F]{24})\.(\d{1,4})\.(?:none|(\d{1,10})-(\d{1,10}))\.(\d{1,4})$/;

export function rollupName({ last, segments, activity }: WalRollup): string {
  const minutes = minutesOf(activity);
  const between = minutes === undefined ? 'none' : `${minutes.from}-${minutes.to}`;
  return `${last}.${segments}.${between}.${activity.restorePoints.length}`;
}

/** Undefined for what is none. */
export function parseRollupName(name: string): RollupName | undefined {
  const [, last, segments, from, to, restorePoints] = pattern.exec(name) ?? [];
  if (last === undefined) return undefined;
  const minutes = from === undefined ? undefined : { from: Number(from), to: Number(to) };
  return { name, last, segments: Number(segments), minutes, restorePoints: Number(restorePoints) };
}

const count = z.int().min(0);
const rollupDocument = z
  .object({
    format: z.literal(1),
    first: z.string(),
    last: z.string(),
    segments: count,
    /** Each the difference to the one before. */
    minutes: z.array(count),
    commits: z.array(count),
    aborts: z.array(count),
    restore_points: z.array(z.object({ name: z.string(), lsn: z.string().regex(/^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/), time: z.number() })),
  })
  .refine(({ minutes, commits, aborts }) => minutes.length === commits.length && minutes.length === aborts.length);

/** A `WalRollup` as it is stored: JSON, see docs/FORMAT.md. */
export type WalRollupDocument = z.output<typeof rollupDocument>;

export function formatWalRollup({ first, last, segments, activity }: WalRollup): WalRollupDocument {
  const { minutes, commits, aborts, restorePoints } = activity;
  return {
    format: 1,
    first,
    last,
    segments,
    minutes: minutes.map((minute, at) => minute - (minutes[at - 1] ?? 0)),
    commits: [...commits],
    aborts: [...aborts],
    restore_points: restorePoints.map(({ name, lsn, timeMs }) => ({ name, lsn, time: timeMs })),
  };
}

/** `where`: for the message. Throws `object-unreadable`. */
export function parseWalRollup(text: string, where: string): WalRollup {
  try {
    const { first, last, segments, minutes, commits, aborts, restore_points: points } = rollupDocument.parse(JSON.parse(text));
    let sum = 0;
    const restorePoints = points.map(({ name, lsn, time: timeMs }) => ({ name, lsn, timeMs }));
    return { first, last, segments, activity: { minutes: minutes.map((minute) => (sum += minute)), commits, aborts, restorePoints } };
  } catch (cause) {
    throw new OperatorError('object-unreadable', `${where} does not tell of WAL as this version reads it`, {
      cause,
      hint: 'It may have been written by a newer version, or be damaged. Remove it: it is made anew from the indexes of the segments.',
    });
  }
}
