import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { confirmationFor } from './confirmation.ts';
import { decideRetention, type RetainableBackup, type RetentionRules } from './decide.ts';
import { routineOf } from './routine.ts';
import { WalSurvey } from './survey-wal.ts';
import { judgeWal } from './wal-need.ts';

const hourMs = 3_600_000;
const beginMs = Date.UTC(2026, 0, 1);
const at = (hour: number) => new Date(beginMs + hour * hourMs);
/** An hour's WAL is a segment. */
const segmentOf = (hour: number) => `00000001${hour.toString(16).toUpperCase().padStart(16, '0')}`;

class Story {
  rules: RetentionRules;
  /** By the hour at which they began. */
  backups: RetainableBackup[] = [];
  wal: { readonly hour: number; readonly stored: Date }[] = [];
  /** That a base backup takes. */
  readonly #hours: number;
  #hour = 0;

  constructor(rules: Partial<RetentionRules>, hours = 1) {
    this.#hours = hours;
    this.rules = { countMax: undefined, ageDaysMax: undefined, countMin: 2, intervalHours: 24, ...rules };
  }

  get hour(): number {
    return this.#hour;
  }

  pass(hours: number): void {
    for (const end = this.#hour + hours; this.#hour < end; this.#hour++) this.wal.push({ hour: this.#hour, stored: at(this.#hour) });
  }

  take(more: Partial<RetainableBackup> = {}): void {
    const start = this.#hour;
    this.pass(this.#hours);
    const [end, places] = [at(this.#hour), { startWalSegment: segmentOf(start), endWalSegment: segmentOf(this.#hour - 1) }];
    this.backups.push({ name: `b${start}`, startTime: at(start), endTime: end, completed: end, ...places, ...more });
  }

  /** What is asked, where something is; nothing goes then. */
  prune(now = at(this.#hour)): string | undefined {
    const decision = decideRetention(this.backups, this.rules, now);
    const routine = routineOf(this.backups, this.rules, now);
    const survey = new WalSurvey({ needs: decision.wal, isUsual: routine.letsGo });
    for (const { hour, stored } of this.wal) {
      const name = segmentOf(hour);
      survey.add({ key: `s/xlog/${name}`, name, segment: name, size: 1, lastModified: stored });
    }
    const { intervalHours } = this.rules;
    const plan = { backups: this.backups, decision, routine: routine.backups, survey: survey.stretches, intervalHours };
    const because = confirmationFor(plan)?.because;
    if (because !== undefined) return because;
    const doomed = new Set(decision.doomed.map(({ name }) => name));
    this.backups = this.backups.filter(({ name }) => !doomed.has(name));
    const { wal } = decision;
    if (wal !== undefined) this.wal = this.wal.filter(({ hour, stored }) => judgeWal({ segment: segmentOf(hour), stored }, wal).stays);
    return undefined;
  }

  /** Day after day; what is asked meanwhile is an error. */
  live(days: number): this {
    const { intervalHours } = this.rules;
    for (const end = this.#hour + days * 24; this.#hour < end; ) {
      this.take();
      assert.equal(this.prune(), undefined, `at hour ${this.#hour}`);
      this.pass(intervalHours - this.#hours);
    }
    return this;
  }

  lose(isLost: (backup: RetainableBackup, index: number) => boolean): this {
    this.backups = this.backups.filter((backup, index) => !isLost(backup, index));
    return this;
  }

  change(rules: Partial<RetentionRules>): this {
    this.rules = { ...this.rules, ...rules };
    return this;
  }
}

const keep = { daily: 3, weekly: 4, monthly: 6, yearly: 0 };
const dailyFor = (daily: number) => ({ daily, weekly: 0, monthly: 0, yearly: 0 });

const unusual: readonly [what: string, story: () => Story, asks: RegExp | undefined][] = [
  ['count is lowered', () => new Story({ countMax: 20 }).live(30).change({ countMax: 3 }), /18 of 21 base backups/],
  ['count is lowered a little', () => new Story({ countMax: 20 }).live(30).change({ countMax: 18 }), undefined],
  ['a window is shortened', () => new Story({ windowDays: 20 }).live(40).change({ windowDays: 2 }), /of 22 base backups/],
  [
    'a window is shortened where a base backup of each day is kept all the same',
    () => new Story({ windowDays: 20, keep: dailyFor(60) }).live(40).change({ windowDays: 2 }),
    /% of the WAL/,
  ],
  [
    'most base backups have got lost, and nothing seems to need their WAL',
    () => new Story({ countMax: 20 }).live(30).lose(({ startTime }) => startTime < at(28 * 24)),
    /% of the WAL would be deleted, stored in the course of 431 hours/,
  ],
  [
    'count is lowered where days, weeks and months are kept',
    () => new Story({ countMax: 12, keep }).live(60).change({ countMax: 1 }),
    /% of the WAL/,
  ],
  [
    'a month begins, and nothing between the last base backups of months is kept',
    () => new Story({ countMin: 1, keep: { ...dailyFor(0), monthly: 2 } }, 8).live(119),
    undefined,
  ],
  ['what was preserved is let go', () => preserved(), undefined],
  ['base backups have failed for a week', () => failedFor(7 * 24), undefined],
];

/** One that was preserved for forty days. */
function preserved(): Story {
  const story = new Story({ countMax: 3 }).live(5);
  const [first] = story.backups;
  if (first !== undefined) story.backups[0] = { ...first, preservedUntil: at(44.5 * 24) };
  return story.live(40);
}

function failedFor(hours: number): Story {
  const story = new Story({ countMax: 2 }).live(10);
  story.pass(hours);
  story.take();
  story.prune();
  story.pass(23);
  return story;
}

describe('a pass asks for a confirmation only where something unusual is to go', () => {
  for (const [what, story, asks] of unusual)
    test(what, () => {
      const changed = story();
      changed.take();
      const because = changed.prune();
      if (asks === undefined) assert.equal(because, undefined);
      else assert.match(because ?? 'nothing is asked', asks);
    });

  test('a clock that is a year ahead, of host and store, lets go what the rules had kept yesterday: that is asked', () => {
    const story = new Story({ windowDays: 20 }).live(40);
    const wrong = new Date(at(story.hour).getTime() + 365 * 24 * hourMs);
    story.take({ startTime: wrong, endTime: wrong, completed: wrong });
    story.pass(24);
    story.take({ startTime: wrong, endTime: wrong, completed: wrong });
    assert.match(story.prune(wrong) ?? 'nothing is asked', /of 23 base backups/);
  });

  const rules = fc.record({
    countMax: fc.option(fc.integer({ min: 1, max: 12 }), { nil: undefined }),
    ageDaysMax: fc.option(fc.integer({ min: 1, max: 12 }), { nil: undefined }),
    countMin: fc.integer({ min: 1, max: 3 }),
    windowDays: fc.option(fc.integer({ min: 1, max: 12 }), { nil: undefined }),
    keep: fc.option(fc.record({ daily: fc.nat(7), weekly: fc.nat(5), monthly: fc.nat(3), yearly: fc.nat(1) }), { nil: undefined }),
    intervalHours: fc.constantFrom(12, 24, 48, 168),
  });
  test('nothing that happens every day is asked, whatever the rules', () => {
    fc.assert(
      fc.property(rules, fc.integer({ min: 1, max: 12 }), (some, hours) => void new Story(some, hours).live(100)),
      { numRuns: 20 },
    );
  });
});
