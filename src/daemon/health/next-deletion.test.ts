import assert from 'node:assert/strict';
import { test } from 'node:test';
import { at, viewOf } from '../../../test/support/health-view.ts';
import { type DeletionView, nextDeletion } from './next-deletion.ts';

const made = [
  { start: 2, end: 3, from: '08:00:00', to: '08:10:00' },
  { start: 5, end: 6, from: '09:00:00', to: '09:10:00' },
];
const entries = viewOf({ backups: made }).backups.listing?.entries ?? [];
const [oldest] = entries;
const rules = { countMax: 2, ageDaysMax: undefined, countMin: 1, intervalHours: 1 };
const view: DeletionView = { entries, preserved: new Map(), rules, dueAt: at('10:00:00'), postponed: undefined, pending: undefined };

test('what goes once the next base backup is there is told beforehand', () => {
  const next = nextDeletion(view, at('09:30:00'));
  assert.deepEqual([next?.what, next?.at], ['deletion', at('10:00:00')]);
  assert.match(String(next?.because), new RegExp(`^base backup ${oldest?.name}, once the next one is complete: `));
});

test('what goes now has no time, and what keeps it is told', () => {
  assert.match(
    String(nextDeletion({ ...view, rules: { ...rules, countMax: 1 } }, at('09:30:00'))?.because),
    new RegExp(`^base backup ${oldest?.name}: `),
  );
  assert.equal(nextDeletion({ ...view, postponed: 'a lock keeps it' }, at('09:30:00'))?.because, 'a lock keeps it');
  assert.match(String(nextDeletion({ ...view, pending: 'more than half' }, at('09:30:00'))?.because), /--confirm\): more than half$/);
});

test('where nothing is known to go nothing is told', () => {
  assert.equal(nextDeletion({ ...view, rules: { ...rules, countMax: 3 } }, at('09:30:00')), undefined);
  assert.equal(nextDeletion({ ...view, dueAt: undefined }, at('09:30:00')), undefined);
  assert.equal(nextDeletion({ ...view, entries: [] }, at('09:30:00')), undefined);
  assert.equal(
    nextDeletion({ ...view, preserved: new Map([[String(oldest?.name), at('23:00:00')]]) }, at('09:30:00'))?.because.includes(
      String(oldest?.name),
    ) ?? false,
    false,
  );
});
