import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { inOrder } from './backup-order.ts';
import { decideRetention, type RetainableBackup, type RetentionDecision, type RetentionRules } from './decide.ts';
import { judgeWal, positionOf, type StoredSegment } from './wal-need.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const yearMs = 365 * dayMs;
const epochMs = Date.parse('2026-01-01T00:00:00Z');
const timelinesMax = 3;
/** More than any world here has. */
const segmentsMax = 112;
const runs = 200;

interface Step {
  readonly pauseHours: number;
  readonly takesHours: number;
  readonly pauseSegments: number;
  readonly takesSegments: number;
  readonly promotes: boolean;
  readonly knowsEnd: boolean;
  readonly isFlawed: boolean;
  readonly isDoubtful: boolean;
  readonly clockErrorMs: number;
  readonly preservedHours: number;
}

const step = (clockErrors: readonly number[]): fc.Arbitrary<Step> =>
  fc.record({
    pauseHours: fc.integer({ min: 1, max: 24 * 40 }),
    takesHours: fc.integer({ min: 0, max: 30 }),
    pauseSegments: fc.integer({ min: 0, max: 5 }),
    takesSegments: fc.integer({ min: 0, max: 3 }),
    promotes: fc.boolean(),
    knowsEnd: fc.boolean(),
    isFlawed: rarely(),
    isDoubtful: rarely(),
    clockErrorMs: fc.constantFrom(...clockErrors),
    preservedHours: fc.constantFrom(-1000, -1, 1, 1000),
  });
const rarely = () => fc.integer({ min: 0, max: 4 }).map((value) => value === 0);

/** The base backups of a cluster, one after the other, as the steps say. */
function world(steps: readonly Step[]): { readonly backups: RetainableBackup[]; readonly now: Date } {
  let [ms, position, timeline] = [epochMs, 0, 1];
  const backups = steps.map((each, index): RetainableBackup => {
    ms += each.pauseHours * hourMs;
    position += each.pauseSegments;
    if (each.promotes && timeline < timelinesMax) timeline++;
    const [startMs, start] = [ms, position];
    ms += each.takesHours * hourMs;
    position += each.takesSegments;
    return {
      name: `b${index}`,
      startTime: new Date(startMs + each.clockErrorMs),
      endTime: each.knowsEnd ? new Date(ms + each.clockErrorMs) : undefined,
      completed: new Date(ms),
      startWalSegment: segmentName(timeline, start),
      endWalSegment: each.knowsEnd ? segmentName(timeline, position) : undefined,
      preservedUntil: each.preservedHours === -1000 ? undefined : new Date(ms + each.preservedHours * hourMs),
      flaw: each.isFlawed ? 'WAL is missing' : undefined,
      doubt: each.isDoubtful ? 'nothing tells where its WAL ends' : undefined,
    };
  });
  return { backups, now: new Date(ms) };
}

function segmentName(timeline: number, number: number): string {
  return [timeline, 0, number].map((part) => part.toString(16).toUpperCase().padStart(8, '0')).join('');
}

const periods = fc.integer({ min: 0, max: 4 });
const rulesArbitrary: fc.Arbitrary<RetentionRules> = fc.record({
  countMax: fc.option(fc.integer({ min: 1, max: 6 }), { nil: undefined }),
  ageDaysMax: fc.option(fc.double({ min: 0.1, max: 100, noNaN: true }), { nil: undefined }),
  countMin: fc.integer({ min: 0, max: 4 }),
  intervalHours: fc.constantFrom(0, 1, 24, 168),
  windowDays: fc.option(fc.double({ min: 0.1, max: 100, noNaN: true }), { nil: undefined }),
  keep: fc.option(fc.record({ daily: periods, weekly: periods, monthly: periods, yearly: periods }), { nil: undefined }),
  timeZone: fc.constantFrom('UTC', 'Europe/Helsinki', 'America/St_Johns'),
});
const rightClocks = fc.array(step([0]), { maxLength: 14 }).map(world);
const anyClocks = fc.array(step([0, 0, 0, -yearMs, yearMs, 3 * hourMs]), { maxLength: 14 }).map(world);

/** Prints the seed of what fails; `PGHOARD_TEST_SEED` has it tried again. */
function holds<Inputs extends [unknown, ...unknown[]]>(
  what: string,
  ...rest: [...{ [At in keyof Inputs]: fc.Arbitrary<Inputs[At]> }, (...inputs: Inputs) => void]
): void {
  const predicate = rest.pop() as (...inputs: Inputs) => void;
  const arbitraries = rest as unknown as { [At in keyof Inputs]: fc.Arbitrary<Inputs[At]> };
  const seed = process.env['PGHOARD_TEST_SEED'];
  test(what, (t) => {
    const chosen = seed === undefined ? {} : { seed: Number(seed) };
    const property = fc.property<Inputs>(...arbitraries, predicate);
    const outcome = fc.check(property, { numRuns: runs, ...chosen });
    t.diagnostic(`seed ${outcome.seed}`);
    if (outcome.failed) fc.assert(property, { seed: outcome.seed, numRuns: runs });
  });
}

const isGood = ({ flaw, doubt }: RetainableBackup) => flaw === undefined && doubt === undefined;
const names = (decision: RetentionDecision) => decision.doomed.map(({ name }) => name);
const keptOf = (backups: readonly RetainableBackup[], decision: RetentionDecision) => {
  const gone = new Set(names(decision));
  return backups.filter(({ name }) => !gone.has(name));
};

function stays(decision: RetentionDecision, segment: StoredSegment): boolean {
  return decision.wal === undefined || judgeWal(segment, decision.wal).stays;
}

function* segmentsFrom({ startWalSegment }: RetainableBackup, until = segmentsMax): Generator<string> {
  const first = Number.parseInt(positionOf(startWalSegment).slice(8), 16);
  for (let timeline = Number.parseInt(startWalSegment.slice(0, 8), 16); timeline <= timelinesMax; timeline++) {
    for (let number = first; number <= until; number++) yield segmentName(timeline, number);
  }
}

holds('the order of the input does not matter', anyClocks, rulesArbitrary, fc.integer(), ({ backups, now }, rules, salt) => {
  const shuffled = backups.toSorted((a, b) => hash(a.name, salt) - hash(b.name, salt));
  assert.deepEqual(decideRetention(shuffled, rules, now), decideRetention(backups, rules, now));
});

holds('the newest that can be restored stays, and what lies behind it', anyClocks, rulesArbitrary, ({ backups, now }, rules) => {
  const kept = new Set(keptOf(backups, decideRetention(backups, rules, now)));
  const order = inOrder(backups).map(({ backup }) => backup);
  for (const backup of order.slice(Math.max(0, order.findLastIndex(isGood)))) assert.ok(kept.has(backup), backup.name);
});

holds(
  'on one timeline with wrong clocks nothing newer goes before something older, but for its period',
  anyClocks,
  rulesArbitrary,
  ({ backups, now }, chosen) => {
    const rules = { ...chosen, keep: undefined };
    const one = backups.map((backup) => ({
      ...backup,
      startWalSegment: `00000001${positionOf(backup.startWalSegment)}`,
      preservedUntil: undefined,
    }));
    const gone = new Set(names(decideRetention(one, rules, now)));
    const order = inOrder(one).map(({ backup }) => backup);
    const lastGone = order.findLastIndex(({ name }) => gone.has(name));
    // By the clock the newest one stays whatever the WAL says.
    const early = order.slice(0, Math.max(0, lastGone)).filter(({ name }) => !gone.has(name));
    assert.ok(early.length <= 1, early.map(({ name }) => name).join());
  },
);

holds(
  'so many of the newest that can be restored stay as the count says',
  anyClocks,
  rulesArbitrary,
  fc.integer({ min: 1, max: 6 }),
  ({ backups, now }, rules, countMax) => {
    const kept = new Set(keptOf(backups, decideRetention(backups, { ...rules, ageDaysMax: undefined, countMax }, now)));
    const good = inOrder(backups).filter(({ backup }) => isGood(backup));
    for (const { backup } of good.slice(-countMax)) assert.ok(kept.has(backup), backup.name);
  },
);

holds('all WAL stays that a kept base backup needs', anyClocks, rulesArbitrary, ({ backups, now }, rules) => {
  const decision = decideRetention(backups, rules, now);
  const kinds = new Map(decision.backups.map(({ name, wal }) => [name, wal]));
  for (const backup of keptOf(backups, decision)) {
    const onwards = kinds.get(backup.name) === 'onwards';
    const until = onwards ? segmentsMax : Number.parseInt((backup.endWalSegment ?? backup.startWalSegment).slice(16), 16);
    const stored = onwards ? new Date(0) : backup.completed;
    for (const segment of segmentsFrom(backup, until)) assert.ok(stays(decision, { segment, stored }), `${backup.name} needs ${segment}`);
  }
});

holds('WAL that only ones need which go, goes', rightClocks, rulesArbitrary, ({ backups, now }, rules) => {
  const decision = decideRetention(backups, rules, now);
  const oldest = keptOf(backups, decision)
    .map(({ startWalSegment }) => positionOf(startWalSegment))
    .toSorted()[0];
  for (let number = 0; number < segmentsMax; number++) {
    const segment = segmentName(1, number);
    if (oldest !== undefined && positionOf(segment) < oldest) assert.equal(stays(decision, { segment, stored: now }), false, segment);
  }
});

holds('a second time there is nothing to do, and no WAL has become unneeded', rightClocks, rulesArbitrary, ({ backups, now }, rules) => {
  const first = decideRetention(backups, rules, now);
  const second = decideRetention(keptOf(backups, first), rules, now);
  assert.deepEqual(names(second), []);
  for (let timeline = 1; timeline <= timelinesMax; timeline++) {
    for (let number = 0; number < segmentsMax; number++) {
      const segment = { segment: segmentName(timeline, number), stored: new Date(0) };
      if (stays(first, segment)) assert.ok(stays(second, segment), segment.segment);
    }
  }
});

holds(
  'a wrong clock lets nothing go that the right one keeps',
  rightClocks,
  rulesArbitrary,
  fc.integer({ min: -3000, max: 3000 }),
  ({ backups, now }, rules, days) => {
    const gone = new Set(names(decideRetention(backups, rules, now)));
    for (const name of names(decideRetention(backups, rules, new Date(now.getTime() + days * dayMs)))) assert.ok(gone.has(name), name);
  },
);

holds(
  'every second of the window can be restored',
  rightClocks,
  rulesArbitrary,
  fc.double({ min: 0.1, max: 100, noNaN: true }),
  ({ backups, now }, rules, windowDays) => {
    const decision = decideRetention(backups, { ...rules, windowDays }, now);
    const begin = now.getTime() - windowDays * dayMs;
    const good = backups.filter(isGood);
    const ended = (backup: RetainableBackup) => backup.completed.getTime() <= begin;
    const kept = keptOf(backups, decision);
    // Where none had ended then, nothing that covers a part of it goes.
    const covering = good.some(ended) ? kept.filter((backup) => good.includes(backup) && ended(backup)).slice(-1) : backups;
    assert.ok(covering.length > 0 || backups.length === 0);
    for (const backup of covering) {
      assert.ok(kept.includes(backup), backup.name);
      for (const segment of segmentsFrom(backup)) assert.ok(stays(decision, { segment, stored: new Date(0) }), segment);
    }
  },
);

holds('of each day, week, month and year the last that can be restored stays', rightClocks, rulesArbitrary, ({ backups, now }, rules) => {
  const keep = { daily: 1000, weekly: 1000, monthly: 1000, yearly: 1000 };
  const kept = keptOf(backups, decideRetention(backups, { ...rules, timeZone: 'UTC', keep }, now));
  const good = backups.filter(isGood);
  const day = ({ startTime }: RetainableBackup) => startTime.toISOString().slice(0, 10);
  for (const label of new Set(good.map(day))) {
    const last = good.findLast((backup) => day(backup) === label) as RetainableBackup;
    assert.ok(kept.includes(last), `${last.name} of ${label}`);
  }
});

function hash(text: string, salt: number): number {
  return Buffer.from(text).reduce((sum, byte) => (Math.imul(sum, 31) + byte) | 0, salt | 0);
}
