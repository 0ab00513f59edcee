import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decideRetention, isWalNeeded, type RetainableBackup, type RetentionRules } from './decide.ts';

const now = new Date('2026-11-23T12:00:00Z');
const day = 86_400_000;
const hour = 3_600_000;
const rules: RetentionRules = { countMax: undefined, ageDaysMax: undefined, countMin: 2, intervalHours: 24 };
const backup = (name: string, ageMs: number, more: Partial<RetainableBackup> = {}): RetainableBackup => ({
  name,
  startTime: new Date(now.getTime() - ageMs),
  startWalSegment: `0000000100000000000000${name.padStart(2, '0')}`,
  preservedUntil: undefined,
  ...more,
});
const week = [6, 5, 4, 3, 2, 1, 0].map((age, index) => backup(String(index), age * day));
const preserved = { preservedUntil: new Date(now.getTime() + day) };

const cases: readonly [string, readonly RetainableBackup[], Partial<RetentionRules>, readonly string[]][] = [
  ['without rules all stay', week, {}, []],
  ['count takes the oldest', week, { countMax: 5 }, ['0', '1']],
  ['count 1 keeps the newest', week, { countMax: 1 }, ['0', '1', '2', '3', '4', '5']],
  ['the order they come in does not matter', week.toReversed(), { countMax: 5 }, ['0', '1']],
  ['nothing is not less than nothing', [], { countMax: 1 }, []],
  ['the only backup stays whatever its age', [backup('0', 900 * day)], { ageDaysMax: 1, countMin: 1 }, []],
  ['a preserved backup stays and protects no other', [backup('0', 6 * day, preserved), ...week.slice(1)], { countMax: 5 }, ['1', '2']],
  ['an expired preservation has no effect', [backup('0', 6 * day, { preservedUntil: now }), ...week.slice(1)], { countMax: 6 }, ['0']],
  [
    'age counts from when the next was due',
    [backup('0', 9 * day + hour), backup('1', 8 * day + 4 * hour), backup('2', 0)],
    { ageDaysMax: 8, countMin: 1 },
    ['0'],
  ],
  ['age leaves the minimum', week, { ageDaysMax: 1, countMin: 5 }, ['0', '1']],
  ['a minimum of 0 switches age off', week, { ageDaysMax: 1, countMin: 0 }, []],
  ['count wins over the minimum of age', week, { countMax: 3, ageDaysMax: 1, countMin: 6 }, ['0', '1', '2', '3']],
];

for (const [what, backups, more, expected] of cases) {
  test(`retention: ${what}`, () => {
    const { doomed } = decideRetention(backups, { ...rules, ...more }, now);
    assert.deepEqual(
      doomed.map(({ name }) => name),
      expected,
    );
  });
}

test('WAL is needed from the start of the oldest kept backup on, on every timeline', () => {
  const { walNeededFrom } = decideRetention(week, { ...rules, countMax: 3 }, now);
  assert.equal(walNeededFrom, '0000000000000004');
  assert.equal(isWalNeeded('000000010000000000000003', '0000000000000004'), false);
  assert.equal(isWalNeeded('000000070000000000000003', '0000000000000004'), false);
  assert.equal(isWalNeeded('000000010000000000000004', '0000000000000004'), true);
  assert.equal(isWalNeeded('000000020000000100000000', '0000000000000004'), true);
});

test('a preserved backup keeps its WAL', () => {
  const { walNeededFrom } = decideRetention([backup('0', 6 * day, preserved), ...week.slice(1)], { ...rules, countMax: 2 }, now);
  assert.equal(walNeededFrom, '0000000000000000');
});

test('without any backup all WAL stays', () => {
  assert.equal(decideRetention([], { ...rules, countMax: 1 }, now).walNeededFrom, undefined);
});
