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
}

const hourMs = 3_600_000;
/** Enough for a year of one a day, or a month of one an hour. */
const passesMax = 1000;

/**
 * The coming passes, if the schedule goes on and every base backup succeeds, takes as long as the last one and can be restored. The first one
 * is now. WAL that is still to be written lies behind all that there is.
 */
export function* simulate({ backups, rules, now, until }: Simulation): Generator<SimulatedPass> {
  let kept = backups;
  const pass = (at: Date): SimulatedPass => {
    const decision = decideRetention(kept, rules, at);
    const gone = new Set(decision.doomed.map(({ name }) => name));
    kept = kept.filter(({ name }) => !gone.has(name));
    return { at, decision };
  };
  yield pass(now);
  if (rules.intervalHours <= 0) return;
  const last = backups.toSorted((a, b) => a.startTime.getTime() - b.startTime.getTime()).at(-1);
  const intervalMs = rules.intervalHours * hourMs;
  const takesMs = last?.endTime === undefined ? 0 : Math.max(0, last.endTime.getTime() - last.startTime.getTime());
  let startMs = Math.max(now.getTime(), (last?.startTime.getTime() ?? 0) + intervalMs);
  for (let number = 1; number < passesMax && startMs + takesMs <= until.getTime(); number++, startMs += intervalMs) {
    kept = [...kept, backupToCome(number, startMs, startMs + takesMs, last)];
    yield pass(new Date(startMs + takesMs));
  }
}

function backupToCome(number: number, startMs: number, endMs: number, last: RetainableBackup | undefined): RetainableBackup {
  const timeline = last?.startWalSegment.slice(0, 8) ?? '00000001';
  const segment = `${timeline}${'F'.repeat(8)}${number.toString(16).toUpperCase().padStart(8, '0')}`;
  const [startTime, endTime] = [new Date(startMs), new Date(endMs)];
  return {
    name: `the one of ${startTime.toISOString().slice(0, 16).replace('T', ' ')}`,
    startTime,
    endTime,
    completed: endTime,
    startWalSegment: segment,
    endWalSegment: segment,
  };
}
