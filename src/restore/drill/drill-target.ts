import type { RecoverabilityDocument } from '../../catalog/recoverability/recoverability-document.ts';
import { OperatorError } from '../../lib/errors.ts';
import type { Random } from '../../lib/random.ts';
import { parseLsn } from '../../postgres/lsn.ts';
import type { RecoveryTarget } from '../choose.ts';

export interface DrillWish {
  /** By name; undefined: the newest that is said to be restorable. */
  readonly basebackup: string | undefined;
  readonly target: 'random' | 'latest';
}

/** What a drill is to show. */
export interface DrillTarget {
  readonly basebackup: string;
  readonly target: RecoveryTarget;
  /** Which recovery is to follow. */
  readonly timeline: number;
}

type Backup = RecoverabilityDocument['basebackups'][number];

/** Nearer to each other, the end of a base backup and the last commit are the same. */
const windowMsMin = 1000;

/**
 * Which base backup to restore, and to which moment, from what is claimed of the site. Throws `drill-impossible` where nothing is claimed that could be
 * shown. A moment is only drawn before the last commit that is known: recovery stops at the first commit behind its target, and fails where there is none.
 */
export function chooseDrillTarget(claims: RecoverabilityDocument, wish: DrillWish, random: Random): DrillTarget {
  if (!claims.is_known) throw impossible(`nobody knows what can be restored: ${claims.because}`);
  const backup = backupFor(claims, wish.basebackup);
  const { name: basebackup, reaches } = backup;
  if (backup.is_alone) return { basebackup, target: { kind: 'immediate' }, timeline: backup.timeline ?? 1 };
  if (reaches === null) throw impossible(`nobody knows how far the base backup ${basebackup} can be recovered`);
  const { timeline } = reaches;
  const moment = wish.target === 'random' ? drawMoment(backup, claims, random) : undefined;
  if (moment === undefined) return { basebackup, target: { kind: 'latest' }, timeline };
  return { basebackup, target: { kind: 'time', time: { epochMs: moment, microseconds: 0 } }, timeline };
}

function backupFor({ basebackups }: RecoverabilityDocument, wanted: string | undefined): Backup {
  const candidates = wanted === undefined ? basebackups : basebackups.filter(({ name }) => name === wanted);
  const backup = candidates.findLast(({ state }) => state === 'covered' || state === 'proven');
  if (backup !== undefined) return backup;
  const [because] = candidates.map((each) => `${each.name} ${each.because}`).slice(-1);
  if (wanted !== undefined) throw impossible(because ?? `there is no base backup ${wanted}`);
  throw impossible(because === undefined ? 'there is no base backup yet' : `no base backup can be restored: ${because}`);
}

/** Undefined where there is nothing to choose from. Milliseconds since 1970. */
function drawMoment({ end, reaches }: Backup, { timelines }: RecoverabilityDocument, random: Random): number | undefined {
  const lsn = reaches?.lsn;
  if (end === null || reaches === null || lsn === null || lsn === undefined) return undefined;
  const spans = timelines.find(({ timeline }) => timeline === reaches.timeline)?.spans ?? [];
  const within = spans.filter(
    ({ state, to }) => (state === 'proven' || state === 'covered') && to.lsn !== null && parseLsn(to.lsn) <= parseLsn(lsn),
  );
  const commits = within.flatMap(({ last_commit }) => (last_commit === null ? [] : [Date.parse(last_commit)]));
  const [from, to] = [Date.parse(end), Math.max(...commits)];
  return to - from < windowMsMin ? undefined : from + Math.floor(random.next() * (to - from));
}

function impossible(why: string): OperatorError {
  return new OperatorError('drill-impossible', `no drill can be held: ${why}`, {
    hint: 'See "pghoard status", and "pghoard check" for what to mend.',
  });
}
