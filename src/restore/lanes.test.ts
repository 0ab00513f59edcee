import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isWorthThreads, lanesFor, type Work } from './lanes.ts';

const mib = 1024 * 1024;
const local: Work = { storedBytes: 0, objects: 2, isLocal: true, processors: 2 };
const remote: Work = { ...local, isLocal: false };

const rows: [what: string, work: Work, lanes: number][] = [
  ['nothing', { ...local, objects: 0 }, 1],
  ['a small backup', { ...local, storedBytes: 20 * mib }, 1],
  ['a small backup of many objects on this machine', { ...local, storedBytes: 20 * mib, objects: 1000 }, 1],
  ['a larger one', { ...local, storedBytes: 33 * mib }, 2],
  ['a large one on this machine: no more than there are processors', { ...local, storedBytes: 9000 * mib }, 2],
  ['a large one elsewhere: while one waits another works', { ...remote, storedBytes: 9000 * mib }, 3],
  ['many small objects elsewhere', { ...remote, storedBytes: mib, objects: 1000 }, 3],
  ['a few small objects elsewhere', { ...remote, storedBytes: mib, objects: 9 }, 2],
];
for (const [what, work, lanes] of rows) {
  test('a small base backup is restored without threads, but not a delta backup, whose files are elsewhere', () => {
    assert.equal(isWorthThreads({ storedSize: 33_554_431, format: 'pghoard-bb-v2' }), false);
    assert.equal(isWorthThreads({ storedSize: 33_554_432, format: 'pghoard-bb-v2' }), true);
    assert.equal(isWorthThreads({ storedSize: 1000 }), false);
    assert.equal(isWorthThreads({ storedSize: 1000, format: 'pghoard-delta-v2' }), true);
  });

  test(`${what}: ${lanes}`, () => {
    assert.equal(lanesFor(work, 3), lanes);
  });
}

test('never more than are allowed', () => {
  assert.equal(lanesFor({ ...remote, storedBytes: 9000 * mib, objects: 9000, processors: 64 }, 1), 1);
});
