import { decideRetention, type RetainableBackup, type RetentionDecision, type RetentionRules } from './decide.ts';

/** The moment at which a base backup is complete, and what its pass deletes. */
export interface SimulatedPass {
  readonly at: Date;
  readonly decision: RetentionDecision;
}

export interface Simulation {
  readonly backups: readonly RetainableBackup[];
  readonly rules: RetentionRules;
  readonly now: Date;
  readonly until: Date;
  /** When base backups begin from now on, in ascending order. */
  readonly starts: Iterable<Date>;
}

/** Enough for a year of one a day, or a month of one an hour. */
const passesMax = 1000;

/**
 * The coming passes, if the schedule goes on and every base backup succeeds, takes as long as the last one and can be restored. The first one
 * is now. WAL that is still to be written lies behind all that there is.
 */
export function* simulate({ backups, rules, now, until, starts }: Simulation): Generator<SimulatedPass> {
  let kept = backups;
  const pass = (at: Date): SimulatedPass => {
    const decision = decideRetention(kept, rules, at);
    const gone = new Set(decision.doomed.map(({ name }) => name));
    kept = kept.filter(({ name }) => !gone.has(name));
    return { at, decision };
  };
  yield pass(now);
  const last = backups.toSorted((a, b) => a.startTime.getTime() - b.startTime.getTime()).at(-1);
  const takesMs = last?.endTime === undefined ? 0 : Math.max(0, last.endTime.getTime() - last.startTime.getTime());
  let number = 0;
  for (const start of starts) {
    const end = new Date(start.getTime() + takesMs);
    if (++number >= passesMax || end > until) return;
    kept = [...kept, backupToCome(number, start, end, last)];
    yield pass(end);
  }
}

function backupToCome(number: number, startTime: Date, endTime: Date, last: RetainableBackup | undefined): RetainableBackup {
  const timeline = last?.startWalSegment.slice(0, 8) ?? '00000001';
  const segment = `${timeline}${'F'.repeat(8)}${number.toString(16).toUpperCase().padStart(8, '0')}`;
  return {
    name: `the one of ${startTime.toISOString().slice(0, 16).replace('T', ' ')}`,
    startTime,
    endTime,
    completed: endTime,
    startWalSegment: segment,
    endWalSegment: segment,
  };
}
