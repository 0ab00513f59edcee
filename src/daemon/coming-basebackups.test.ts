import assert from 'node:assert/strict';
import { test } from 'node:test';
import { comingBasebackups } from './coming-basebackups.ts';
import type { BackupView } from './next-step.ts';
import { normalizedBackupTime, type Schedule } from './schedule.ts';

const nightly: Schedule = { intervalHours: 24, hour: 3, minute: 30, timeZone: 'Europe/Helsinki' };
const taken = (text: string, schedule: Schedule, reason: BackupView['reason'] = 'scheduled'): BackupView => {
  const at = new Date(text);
  return { startTime: at, decisionTime: at, reason, normalizedTime: normalizedBackupTime(schedule, at) };
};
function first(count: number, backups: readonly BackupView[], schedule: Schedule, from: string): string[] {
  const starts: string[] = [];
  for (const at of comingBasebackups(backups, schedule, new Date(from))) {
    if (starts.push(at.toISOString().slice(0, 16)) === count) break;
  }
  return starts;
}

test('by the interval alone they follow the last one', () => {
  const daily = { ...nightly, hour: undefined, minute: undefined };
  const backups = [taken('2026-11-30T14:00:00Z', daily)];
  assert.deepEqual(first(2, backups, daily, '2026-11-30T18:00:00Z'), ['2026-12-01T14:00', '2026-12-02T14:00']);
  assert.deepEqual(first(2, backups, daily, '2026-12-05T18:00:00Z'), ['2026-12-05T18:00', '2026-12-06T18:00'], 'one is overdue');
});

test('by the hour they come at that hour of the time zone, summer and winter', () => {
  const backups = [taken('2026-10-23T00:30:05Z', nightly)];
  const coming = first(4, backups, nightly, '2026-10-23T12:00:00Z');
  assert.deepEqual(coming, ['2026-10-24T00:30', '2026-10-25T00:30', '2026-10-26T01:30', '2026-10-27T01:30']);
});

test('one that was asked for in between takes the place of none', () => {
  const backups = [taken('2026-11-30T01:30:05Z', nightly), taken('2026-11-30T15:00:00Z', nightly, 'requested')];
  assert.deepEqual(first(1, backups, nightly, '2026-11-30T18:00:00Z'), ['2026-12-01T01:30']);
});

test('where there is none the first is now; who takes none by himself has none to come', () => {
  assert.deepEqual(first(2, [], nightly, '2026-11-30T18:00:00Z'), ['2026-11-30T18:00', '2026-12-01T06:00']);
  assert.deepEqual(first(1, [], { ...nightly, intervalHours: null }, '2026-11-30T18:00:00Z'), []);
  assert.deepEqual(first(1, [], { ...nightly, intervalHours: 0 }, '2026-11-30T18:00:00Z'), []);
});
