import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type KnownTimelines, unneededHistories } from './unneeded-histories.ts';

type Ancestors = Readonly<Record<number, readonly number[] | undefined>>;

const cases: readonly [what: string, known: KnownTimelines, ancestors: Ancestors, goes: readonly number[]][] = [
  ['ancestors of the line that is kept', { histories: [2, 3, 4], ofBackups: [4], ofWal: [4] }, { 4: [1, 2, 3] }, []],
  ['a branch that was given up', { histories: [2, 3, 4], ofBackups: [4], ofWal: [4] }, { 4: [1, 2] }, [3]],
  ['with a base backup on it', { histories: [2, 3, 4], ofBackups: [3, 4], ofWal: [4] }, { 3: [1, 2], 4: [1, 2] }, []],
  ['with WAL of it', { histories: [2, 3, 4], ofBackups: [4], ofWal: [3, 4] }, { 3: [1, 2], 4: [1, 2] }, []],
  ['an ancestor of one with WAL', { histories: [2, 3, 4, 5], ofBackups: [5], ofWal: [4, 5] }, { 4: [1, 3], 5: [1, 2] }, []],
  [
    'newer than the oldest base backup: recovery tries one after the other',
    { histories: [2, 3, 4], ofBackups: [2, 4], ofWal: [2, 4] },
    { 2: [1], 4: [1, 2] },
    [],
  ],
  ['the newest, which may be in use', { histories: [2, 3], ofBackups: [1], ofWal: [1] }, { 3: [1] }, []],
  ['the newest without any WAL or backup of it', { histories: [2, 3, 9], ofBackups: [4], ofWal: [4] }, { 4: [1], 9: [1, 2] }, [3]],
  ['a history of the kept line cannot be read', { histories: [2, 3, 4], ofBackups: [4], ofWal: [4] }, { 4: undefined }, []],
  ['nothing is kept', { histories: [2, 3], ofBackups: [], ofWal: [] }, { 3: [1] }, []],
  ['only the first timeline', { histories: [], ofBackups: [1], ofWal: [1] }, {}, []],
];

for (const [what, known, ancestors, goes] of cases) {
  test(`histories: ${what}`, () => {
    const byTimeline = new Map(Object.entries(ancestors).map(([timeline, each]) => [Number(timeline), each]));
    assert.deepEqual(unneededHistories(known, byTimeline), goes);
  });
}
