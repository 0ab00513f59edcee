import assert from 'node:assert/strict';
import { test } from 'node:test';
import { followingTimeline } from './restart-position.ts';

const history = [
  { timeline: 1, switchLsn: 100n, reason: '' },
  { timeline: 2, switchLsn: 200n, reason: '' },
];

test('the timeline that followed is the next in the history, else the current one', () => {
  assert.deepEqual(followingTimeline(1, history, 4), { timeline: 2, begin: 100n });
  assert.deepEqual(followingTimeline(2, history, 4), { timeline: 4, begin: 200n });
});

test('a timeline that is no ancestor is followed by none', () => {
  assert.equal(followingTimeline(3, history, 4), undefined);
  assert.equal(followingTimeline(1, [], 1), undefined);
});
