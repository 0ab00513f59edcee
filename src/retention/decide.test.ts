import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decideRetention, type RetainableBackup, type RetentionRules } from './decide.ts';
import { judgeWal, type WalNeeds } from './wal-need.ts';

const now = new Date('2026-11-23T12:00:00Z');
const day = 86_400_000;
const hour = 3_600_000;
const rules: RetentionRules = { countMax: undefined, ageDaysMax: undefined, countMin: 2, intervalHours: 24 };

/** The one of number n begins in segment 2n and ends in segment 2n + 1. */
const backup = (name: string, ageMs: number, more: Partial<RetainableBackup> = {}): RetainableBackup => ({
  name,
  startTime: new Date(now.getTime() - ageMs),
  endTime: new Date(now.getTime() - ageMs + hour),
  completed: new Date(now.getTime() - ageMs + hour),
  startWalSegment: segment(2 * Number(name)),
  endWalSegment: segment(2 * Number(name) + 1),
  ...more,
});
const segment = (number: number, timeline = 1) => `0000000${timeline}00000000000000${number.toString(16).toUpperCase().padStart(2, '0')}`;
const week = [6, 5, 4, 3, 2, 1, 0].map((age, index) => backup(String(index), age * day));
const preserved = { preservedUntil: new Date(now.getTime() + day) };
const flaw = { flaw: 'WAL is missing' };
const year = 365 * day;
const none = { daily: 0, weekly: 0, monthly: 0, yearly: 0 };

const cases: readonly [string, readonly RetainableBackup[], Partial<RetentionRules>, goes: string][] = [
  ['without rules all stay', week, {}, ''],
  ['count takes the oldest', week, { countMax: 5 }, '01'],
  ['count 1 keeps the newest', week, { countMax: 1 }, '012345'],
  ['the order they come in does not matter', week.toReversed(), { countMax: 5 }, '01'],
  ['nothing is not less than nothing', [], { countMax: 1 }, ''],
  ['the only backup stays whatever its age', [backup('0', 900 * day)], { ageDaysMax: 1, countMin: 1 }, ''],
  [
    'a preserved backup stays, and neither protects others nor costs them their place',
    [backup('0', 6 * day, preserved), ...week.slice(1)],
    { countMax: 5 },
    '1',
  ],
  ['an expired preservation has no effect', [backup('0', 6 * day, { preservedUntil: now }), ...week.slice(1)], { countMax: 6 }, '0'],
  [
    'age counts from when the next was due',
    [backup('0', 9 * day + hour), backup('1', 8 * day + 4 * hour), backup('2', 0)],
    { ageDaysMax: 8, countMin: 1 },
    '0',
  ],
  ['age leaves the minimum', week, { ageDaysMax: 1, countMin: 5 }, '01'],
  ['a minimum of 0 switches age off', week, { ageDaysMax: 1, countMin: 0 }, ''],
  ['count wins over the minimum of age', week, { countMax: 3, ageDaysMax: 1, countMin: 6 }, '0123'],
  ['one that cannot be restored does not count', [...week.slice(0, 6), backup('6', 0, flaw)], { countMax: 2 }, '0123'],
  [
    'the last that can be restored stays',
    [week[0], ...week.slice(1).map((each) => ({ ...each, ...flaw }))] as RetainableBackup[],
    { countMax: 1 },
    '',
  ],
  [
    'of those that cannot be restored the old ones go, too',
    [{ ...backup('0', 6 * day), ...flaw }, ...week.slice(1)],
    { countMax: 2 },
    '01234',
  ],
  ['a window keeps the newest that had ended when it begins, and all that follow', week, { windowDays: 3 }, '01'],
  ['a backup that had only begun then does not cover the window', week, { windowDays: 2.99 }, '01'],
  ['an hour later it does', week, { windowDays: 2.95 }, '012'],
  [
    'an end that another clock put before the beginning proves nothing',
    week.map((each, index) =>
      index === 2
        ? { ...each, endTime: new Date(each.startTime.getTime() - hour), completed: new Date(each.startTime.getTime() + 2 * hour) }
        : each,
    ),
    { windowDays: 4 - 1 / 48 },
    '0',
  ],
  [
    'what cannot be restored does not begin a window',
    week.map((each, index) => (index === 2 ? { ...each, ...flaw } : each)),
    { windowDays: 3 },
    '0',
  ],
  ['where none had ended all stay', week, { windowDays: 10 }, ''],
  ['a window adds to a count', week, { windowDays: 3, countMax: 2 }, '01'],
  ['a count adds to a window', week, { windowDays: 1, countMax: 6 }, '0'],
  ['an age adds to a window', week, { windowDays: 1, ageDaysMax: 4.5, countMin: 1 }, '0'],
  [
    'a minimum of 0 leaves none outside of the window',
    week.map((each) => ({ ...each, endTime: undefined })),
    { windowDays: 0.001, countMin: 0 },
    '01234',
  ],
  [
    'days are those that have a backup',
    [backup('0', 300 * day), backup('1', 200 * day), backup('2', 200 * day - hour), backup('3', 0)],
    { keep: { ...none, daily: 3 }, countMin: 0 },
    '1',
  ],
  ['weeks begin on Monday', week, { keep: { ...none, weekly: 2 }, countMin: 1 }, '01234'],
  ['keep adds to a count', week, { keep: { ...none, weekly: 2 }, countMax: 3 }, '0123'],
  [
    'of a period the last that can be restored is kept',
    [...week.slice(0, 5), { ...backup('5', day), ...flaw }, backup('6', 0)],
    { keep: { ...none, weekly: 2 }, countMin: 1 },
    '01235',
  ],
  ['one taken by a clock a year behind is not the oldest', [...week.slice(0, 6), backup('6', year)], { countMax: 2 }, '01234'],
  [
    'one taken by a clock a year ahead does not push the others out',
    [...week.slice(0, 5), backup('5', -year), backup('6', 0)],
    { countMax: 2 },
    '01234',
  ],
  ['the newest by the clock stays, too', [backup('0', day, { startWalSegment: segment(40) }), backup('1', 0)], { countMax: 1 }, ''],
  ['the newest timeline stays, too', [backup('0', 5, { startWalSegment: segment(1, 2) }), backup('1', 0)], { countMax: 1 }, ''],
];

for (const [what, backups, more, expected] of cases) {
  test(`retention: ${what}`, () => {
    const { doomed } = decideRetention(backups, { ...rules, ...more }, now);
    assert.equal(doomed.map(({ name }) => name).join(''), expected);
  });
}

test('a clock that is a year ahead lets nothing go by its age or a window', () => {
  const later = new Date(now.getTime() + year);
  for (const more of [{ ageDaysMax: 30 }, { windowDays: 30 }, { windowDays: 6, countMin: 1 }]) {
    assert.deepEqual(decideRetention(week, { ...rules, ...more }, later).doomed, [], JSON.stringify(more));
  }
});

test('a base backup that such a clock has dated makes the others no older: the store says when it was complete', () => {
  const later = new Date(now.getTime() + year);
  const dated = { ...backup('7', -hour), startTime: later, endTime: later };
  for (const more of [{ ageDaysMax: 30 }, { windowDays: 30 }, { windowDays: 30, keep: { ...none, daily: 1 } }]) {
    assert.deepEqual(decideRetention([...week, dated], { ...rules, ...more }, later).doomed, [], JSON.stringify(more));
  }
});

test('a month asleep is no age, either, until a new base backup is there', () => {
  const asleep = new Date(now.getTime() + 30 * day);
  const window = { ...rules, windowDays: 7, countMin: 1 };
  assert.deepEqual(decideRetention(week, window, asleep).doomed, []);
  const fresh = backup('7', -30 * day + 2 * hour);
  assert.equal(decideRetention([...week, fresh], window, asleep).doomed.length, 6);
});

test('periods begin where the time zone says', () => {
  const late = [backup('0', 14 * hour), backup('1', 13 * hour), backup('2', 11 * hour), backup('3', 0)];
  const doomed = (timeZone: string) =>
    decideRetention(late, { ...rules, countMin: 0, keep: { ...none, daily: 9 }, timeZone }, now).doomed.map(({ name }) => name);
  assert.deepEqual(doomed('UTC'), ['0', '2']);
  assert.deepEqual(doomed('Europe/Helsinki'), ['0', '1', '2']);
});

test('each verdict tells why', () => {
  const keep = { daily: 0, weekly: 2, monthly: 1, yearly: 1 };
  const { backups } = decideRetention(week, { ...rules, windowDays: 2, keep }, now);
  assert.deepEqual(
    backups.map(({ because, wal }) => `${wal}: ${because}`),
    [
      'none: it is outside of recovery_window_days and keep',
      'none: it is outside of recovery_window_days and keep',
      'none: it is outside of recovery_window_days and keep',
      'onwards: the last 2 days begin with it (recovery_window_days)',
      'onwards: it lies within the last 2 days (recovery_window_days)',
      'onwards: it lies within the last 2 days (recovery_window_days); it is one of the newest 2 (basebackup_count_min); it is the last of weekly 2026-W47 (keep)',
      'onwards: it is the newest; it lies within the last 2 days (recovery_window_days); it is one of the newest 2 (basebackup_count_min); it is the last of weekly 2026-W48, monthly 2026-11, yearly 2026 (keep)',
    ],
  );
});

/** Which of the segments from 0 to 15 stay. */
function staying(wal: WalNeeds | undefined, { timeline = 1, stored = new Date(0) } = {}): string {
  assert.ok(wal);
  return [...Array(16).keys()].filter((number) => judgeWal({ segment: segment(number, timeline), stored }, wal).stays).join(' ');
}

test('WAL is needed from the start of the oldest kept backup on, on every timeline', () => {
  const { wal } = decideRetention(week, { ...rules, countMax: 3 }, now);
  assert.equal(staying(wal), '8 9 10 11 12 13 14 15');
  assert.equal(staying(wal, { timeline: 7 }), '8 9 10 11 12 13 14 15');
});

test('a preserved backup keeps all WAL behind it', () => {
  const { wal } = decideRetention(
    [week[0] as RetainableBackup, { ...(week[1] as RetainableBackup), ...preserved }, ...week.slice(2)],
    { ...rules, countMax: 2 },
    now,
  );
  assert.equal(staying(wal), [...Array(14).keys()].map((number) => number + 2).join(' '));
});

test('what is only kept by the last of its period needs no WAL but its own', () => {
  const { wal } = decideRetention(week, { ...rules, countMax: 1, keep: { ...none, weekly: 2 } }, now);
  assert.equal(staying(wal), '10 11 12 13 14 15');
  const { wal: daily } = decideRetention(
    [week[1], week[4], week[6]] as RetainableBackup[],
    { ...rules, countMax: 1, keep: { ...none, daily: 3 } },
    now,
  );
  assert.equal(staying(daily), '2 3 8 9 12 13 14 15');
});

test('where nobody knows where it ended, what was stored until a day later', () => {
  const [first, ...others] = [week[1], week[6]] as [RetainableBackup, RetainableBackup];
  const backups = [{ ...first, endWalSegment: undefined }, ...others];
  const { wal } = decideRetention(backups, { ...rules, countMax: 1, keep: { ...none, daily: 3 } }, now);
  const stored = (ageMs: number) => ({ stored: new Date(first.completed.getTime() + ageMs) });
  assert.equal(staying(wal, stored(23 * hour)), '2 3 4 5 6 7 8 9 10 11 12 13 14 15');
  assert.equal(staying(wal, stored(25 * hour)), '12 13 14 15');
});

test('one that holds its WAL needs none', () => {
  const [first, ...others] = [week[1], week[6]] as [RetainableBackup, RetainableBackup];
  const { wal } = decideRetention(
    [{ ...first, holdsItsWal: true }, ...others],
    { ...rules, countMax: 1, keep: { ...none, daily: 3 } },
    now,
  );
  assert.equal(staying(wal), '12 13 14 15');
});

test('a timeline that no base backup has reached may be the one in use, as long as something comes in', () => {
  const { wal } = decideRetention(week, { ...rules, countMax: 1 }, now);
  const stored = new Date(now.getTime() - 6 * day);
  assert.equal(staying(wal, { timeline: 2, stored }), [...Array(16).keys()].join(' '));
  assert.equal(staying(wal, { timeline: 1, stored }), '12 13 14 15');
  assert.equal(staying(wal, { timeline: 2, stored: new Date(now.getTime() - 8 * day) }), '12 13 14 15');
});

test('without any backup all WAL stays', () => {
  assert.equal(decideRetention([], { ...rules, countMax: 1 }, now).wal, undefined);
});
