import type { RetentionPlan } from './plan.ts';
import { type Simulation, simulate } from './simulate.ts';
import type { WalStretch } from './survey-wal.ts';
import { judgeWal } from './wal-need.ts';

/** When what is there goes, as far as can be said. */
export interface Forecast {
  /** By name of a base backup, or the first name of a stretch of WAL. */
  readonly goes: ReadonlyMap<string, Date>;
  /** How far was looked ahead. */
  readonly until: Date;
}

/** Tells when base backups and WAL that stay now will go, if the schedule goes on. */
export function forecast(plan: RetentionPlan, { rules, now, until, starts }: Omit<Simulation, 'backups'>): Forecast {
  const goes = new Map<string, Date>();
  const waiting = new Set<string>(plan.backups.map(({ name }) => name));
  let stretches = plan.survey.filter(({ stays }) => stays);
  let last = now;
  for (const { at, decision } of simulate({ backups: plan.backups, rules, now, until, starts })) {
    last = at;
    for (const { name } of decision.doomed) if (waiting.delete(name)) goes.set(name, at);
    if (at > now) stretches = stretches.filter((stretch) => isNeededBy(decision.wal, stretch) || !goes.set(stretch.from, at));
    if (waiting.size === 0 && stretches.length === 0) break;
  }
  return { goes, until: last };
}

/** To its last file: what one base backup alone needs of its beginning may stay longer. */
function isNeededBy(wal: RetentionPlan['needs'], { to, storedLast }: WalStretch): boolean {
  return wal === undefined || judgeWal({ segment: to.slice(0, 24), stored: storedLast }, wal).stays;
}
