import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import type { Clock } from '../lib/clock.ts';
import { ScheduleClock } from './schedule-clock.ts';

const hourMs = 3_600_000;
const began = Date.parse('2026-11-23T12:00:00Z');
let trueMs = 0;
let wrongHours = 0;
const clock: Clock = {
  now: () => new Date(began + trueMs + wrongHours * hourMs),
  monotonicMs: () => trueMs,
  sleep: async () => {},
};
const stored = () => ({ lastModified: new Date(began + trueMs) });
const wrongBy = (schedule: ScheduleClock) => (schedule.now().getTime() - began - trueMs) / hourMs;

beforeEach(() => {
  [trueMs, wrongHours] = [0, 0];
});

test('a clock that is right, or a little wrong, is believed', () => {
  const schedule = new ScheduleClock(clock);
  schedule.note([]);
  assert.equal(wrongBy(schedule), 0);
  schedule.note([stored()]);
  trueMs = 30 * hourMs;
  for (wrongHours of [0, 0.9, -0.9]) assert.equal(wrongBy(schedule), wrongHours);
});

test('a clock that is set back does not come before the newest base backup', () => {
  const schedule = new ScheduleClock(clock);
  schedule.note([stored()]);
  wrongHours = -48;
  assert.equal(wrongBy(schedule), 0);
  trueMs = 20 * hourMs;
  assert.equal(wrongBy(schedule), 0, 'time passes all the same');
  schedule.note([stored()]);
  trueMs = 25 * hourMs;
  assert.equal(wrongBy(schedule), 0);
  wrongHours = 0;
  assert.equal(wrongBy(schedule), 0);
});

test('a clock that is ahead leads to one base backup, not to one after the other', () => {
  const schedule = new ScheduleClock(clock);
  schedule.note([stored()]);
  wrongHours = 9_600;
  assert.equal(wrongBy(schedule), 9_600, 'the host may have slept');
  trueMs = hourMs;
  schedule.note([stored()]);
  assert.equal(wrongBy(schedule), 0, 'what came just now is not a year old');
  trueMs = 24 * hourMs;
  assert.equal(wrongBy(schedule), 0);
  wrongHours = 0;
  assert.equal(wrongBy(schedule), 0);
});

test('a base backup that is seen late, as the store could not be asked for half a day, does not make a clock wrong that is right', () => {
  const schedule = new ScheduleClock(clock);
  schedule.note([stored()]);
  trueMs = 12 * hourMs;
  const late = stored();
  trueMs = 26 * hourMs;
  schedule.note([late]);
  assert.equal(wrongBy(schedule), 0);
  trueMs = 40 * hourMs;
  assert.equal(wrongBy(schedule), 0);
});

test('what was there before the start says nothing of a clock that is ahead of it', () => {
  const old = stored();
  trueMs = 1_000 * hourMs;
  const schedule = new ScheduleClock(clock);
  schedule.note([old]);
  assert.equal(wrongBy(schedule), 0);
});

test('a base backup that goes does not make the one before it look new', () => {
  const [first, second] = [stored(), { lastModified: new Date(began + hourMs) }];
  const schedule = new ScheduleClock(clock);
  schedule.note([first, second]);
  trueMs = 48 * hourMs;
  schedule.note([first]);
  assert.equal(wrongBy(schedule), 0);
});
