import type { OperatorError } from '../../lib/errors.ts';
import { formatLsn } from '../../postgres/lsn.ts';
import type { RecoveryTarget } from '../choose.ts';
import type { SiteBackup } from '../kept-alone.ts';
import { commitTime } from './commit-time.ts';
import { PlanRefusal, type ReachablePlace } from './plan-refusal.ts';
import type { Route } from './route.ts';
import type { Outcome } from './target-reached.ts';
import { timelineAt } from './wal-way.ts';

/** A base backup that was tried, and what came of it. */
export interface Tried {
  readonly backup: SiteBackup;
  readonly route: Route | undefined;
  readonly because: string;
  readonly outcome: Outcome | undefined;
}

/** Why none of the base backups leads to the target. `after`: the first place behind it. */
export function refusalOf(target: RecoveryTarget, tried: readonly Tried[], after: ReachablePlace | null): OperatorError {
  if (tried.some(({ outcome }) => outcome?.is === 'absent')) return notFound(target, tried);
  const behind = tried.find(({ outcome }) => outcome?.is === 'behind');
  const last = behind ?? tried[0];
  return new PlanRefusal('target-not-covered', `the target cannot be restored: ${last?.because ?? 'no base backup leads to it'}`, {
    nearest: { before: behind === undefined ? null : placeOf(behind), after },
    hint: behind === undefined ? hintOf(tried) : 'Leave the target out to recover to the end of what is stored.',
  });
}

/** The last place of a route. */
function placeOf({ backup, route, outcome }: Tried): ReachablePlace | null {
  if (route === undefined || outcome?.is !== 'behind') return null;
  const last = outcome.commits?.before;
  const lsn = last?.lsn ?? route.way.end;
  const time = last === undefined ? null : commitTime(last.time);
  return { time, lsn: formatLsn(lsn), timeline: timelineAt(route.way, lsn), basebackup: backup.name };
}

function notFound(target: RecoveryTarget, tried: readonly Tried[]): OperatorError {
  const names = [...new Set(tried.flatMap(({ outcome }) => (outcome?.is === 'absent' ? outcome.otherNames : [])))];
  const what =
    target.kind === 'name' ? `a restore point '${target.name}'` : `the end of transaction ${target.kind === 'xid' ? target.xid : ''}`;
  const places = tried.flatMap(({ backup: { name }, outcome }) => (outcome?.is === 'absent' ? [name] : []));
  const hint =
    names.length > 0
      ? `There are ${names.map((name) => `'${name}'`).join(', ')}.`
      : 'It may not be archived yet, or lie before the oldest base backup, or on another timeline: see --recovery-target-timeline.';
  return new PlanRefusal('target-not-found', `${what} is not in the WAL that is stored behind base backup ${places.at(-1)}`, {
    nearest: { before: null, after: null },
    hint,
  });
}

function hintOf(tried: readonly Tried[]): string {
  const others = tried.slice(1).map(({ backup: { name }, because }) => `${name}: ${because}`);
  return others.length === 0
    ? 'See "pghoard status" for what is missing.'
    : `Older base backups do not reach it either: ${others.slice(0, 3).join('; ')}.`;
}
