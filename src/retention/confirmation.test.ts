import assert from 'node:assert/strict';
import { test } from 'node:test';
import { confirmationFor, isCovered, type PlannedDeletion } from './confirmation.ts';
import type { BackupVerdict, RetainableBackup } from './decide.ts';
import type { WalStretch } from './survey-wal.ts';

const day = 86_400_000;
const at = (days: number) => new Date(Date.UTC(2026, 10, 1) + days * day);

const backup = (days: number): RetainableBackup => ({
  name: `b${days}`,
  startTime: at(days),
  completed: at(days),
  startWalSegment: '000000010000000000000001',
});
const verdict = (days: number): BackupVerdict => ({ name: `b${days}`, stays: false, because: '', wal: 'none' });
/** `usual`: it goes as every day. */
const stretch = (stays: boolean, bytes: number, from: number, to: number, usual = false): WalStretch => ({
  stays,
  because: '',
  from: '000000010000000000000001',
  to: '000000010000000000000002',
  files: 1,
  bytes,
  storedFirst: at(from),
  storedLast: at(to),
  ...(!stays && !usual && { unusual: { storedFirst: at(from), storedLast: at(to) } }),
});

/** `backups`: the days of those there are. `going`: of those that go; `routine`: of those that go as every day. Stretches: bytes, from the one day to the other. */
function planOf(
  backups: readonly number[],
  going: readonly number[],
  stretches: readonly WalStretch[] = [],
  intervalHours = 24,
  routine: readonly number[] = [],
): PlannedDeletion {
  const decision = { backups: [], doomed: going.map(verdict), wal: undefined, time: at(0) };
  return {
    backups: backups.map(backup),
    decision,
    routine: new Set(routine.map(verdict).map(({ name }) => name)),
    survey: stretches,
    intervalHours,
  };
}

const days = (count: number) => [...Array(count).keys()];

const cases: readonly [what: string, plan: PlannedDeletion, asks: RegExp | undefined][] = [
  ['two become one', planOf([0, 1], [0]), undefined],
  ['three become two, as day after day', planOf([0, 1, 2], [0]), undefined],
  ['three become one', planOf([0, 1, 2], [0, 1]), /2 of 3 base backups/],
  ['three become one, as they do when a month begins', planOf([0, 1, 2], [0, 1], [], 24, [0, 1]), undefined],
  ['three become one, of which only one was to go now', planOf([0, 1, 2], [0, 1], [], 24, [1]), /2 of 3 base backups/],
  ['just half', planOf(days(10), days(5)), undefined],
  ['one more than half', planOf(days(10), days(6)), /6 of 10 base backups/],
  ['nothing goes', planOf(days(10), [], [stretch(true, 100, 0, 9)]), undefined],
  [
    'nine tenths of the WAL with the older of two, one day apart',
    planOf([0, 1], [0], [stretch(false, 90, 0, 1), stretch(true, 10, 1, 1)]),
    undefined,
  ],
  [
    'the WAL of a week in which no base backup succeeded',
    planOf([0, 7], [0], [stretch(false, 90, 0, 7, true), stretch(true, 10, 7, 7)]),
    undefined,
  ],
  ['what an interrupted pass has left of two backups', planOf([2, 3], [], [stretch(false, 90, 0, 2), stretch(true, 10, 2, 3)]), undefined],
  [
    'what was archived in the hour before the first base backup, where those are only taken on request',
    planOf([0], [], [stretch(false, 100, 0, 1 / 24)], 0),
    undefined,
  ],
  ['what was archived in two days before it', planOf([2], [], [stretch(false, 100, 0, 2)], 0), /100 % of the WAL/],
  [
    'less than half of what was written in a month',
    planOf([29, 30], [], [stretch(false, 49, 0, 29), stretch(true, 51, 29, 30)]),
    undefined,
  ],
  [
    'most of what was written in a month',
    planOf([29, 30], [], [stretch(false, 90, 0, 29), stretch(true, 10, 29, 30)]),
    /90 % of the WAL .* 696 hours/,
  ],
  [
    'the same where nearly all of it goes as every day, such as when what was preserved is let go',
    planOf([29, 30], [], [stretch(false, 85, 0, 27, true), stretch(false, 5, 27, 29), stretch(true, 10, 29, 30)]),
    undefined,
  ],
  [
    'the same in two stretches',
    planOf([29, 30], [], [stretch(false, 45, 0, 9), stretch(true, 10, 29, 30), stretch(false, 45, 9, 29)]),
    /90 % of the WAL/,
  ],
];

for (const [what, plan, asks] of cases) {
  test(`confirmation: ${what}`, () => {
    const because = confirmationFor(plan)?.because;
    if (asks === undefined) assert.equal(because, undefined);
    else assert.match(because ?? 'nothing is asked', asks);
  });
}

test('the digest is that of just this deletion', () => {
  const digest = (...plan: Parameters<typeof planOf>) => confirmationFor(planOf(...plan))?.digest;
  assert.match(digest(days(10), days(6)) ?? '', /^[0-9a-f]{12}$/);
  assert.equal(digest(days(10), days(6)), digest(days(11), days(6)));
  assert.notEqual(digest(days(10), days(6)), digest(days(10), days(7)));
});

test('confirmed is also what an interruption has left of it, and nothing else', () => {
  const confirmed = { doomed: ['a', 'b', 'c'], wal: '1' };
  assert.equal(isCovered(confirmed, confirmed), true);
  assert.equal(isCovered({ doomed: ['c'], wal: '1' }, confirmed), true);
  assert.equal(isCovered({ doomed: ['c', 'd'], wal: '1' }, confirmed), false);
  assert.equal(isCovered({ doomed: ['c'], wal: '2' }, confirmed), false);
  assert.equal(isCovered(confirmed, undefined), false);
});
