import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type BackupView, nextStep, type SiteView } from './next-step.ts';
import { firstTimeOfDay, nextScheduledTime, normalizedBackupTime, type Schedule } from './schedule.ts';

const cases: readonly [string, number, number, number, string, string][] = [
  ['a day, after the hour', 24, 13, 10, '2023-05-07T15:20:30Z', '2023-05-07T13:10:00+00:00'],
  ['an hour and a half', 1.5, 13, 10, '2023-05-07T15:20:30Z', '2023-05-07T14:40:00+00:00'],
  ['an hour and a half, an hour later', 1.5, 13, 10, '2023-05-07T16:20:30Z', '2023-05-07T16:10:00+00:00'],
  ['before the hour it is still yesterday', 24, 13, 50, '2023-05-07T13:45:00Z', '2023-05-06T13:50:00+00:00'],
  ['exactly at the hour', 24, 13, 10, '2023-05-07T13:10:00Z', '2023-05-07T13:10:00+00:00'],
  ['a week', 168, 0, 0, '2023-05-07T13:10:00Z', '2023-05-07T00:00:00+00:00'],
];

for (const [what, intervalHours, hour, minute, now, expected] of cases) {
  test(`normalized backup time: ${what}`, () => {
    assert.equal(normalizedBackupTime({ intervalHours, hour, minute, timeZone: 'UTC' }, new Date(now)), expected);
  });
}

test('without an hour, an interval, or with an impossible interval there is no normalized time', () => {
  const now = new Date('2023-05-07T13:10:00Z');
  assert.equal(normalizedBackupTime({ intervalHours: 24, hour: undefined, minute: undefined, timeZone: 'UTC' }, now), undefined);
  assert.equal(normalizedBackupTime({ intervalHours: null, hour: 1, minute: 1, timeZone: 'UTC' }, now), undefined);
  assert.equal(normalizedBackupTime({ intervalHours: 0, hour: 1, minute: 1, timeZone: 'UTC' }, now), undefined);
});

const berlin = (intervalHours: number, hour: number, minute = 0): Schedule => ({ intervalHours, hour, minute, timeZone: 'Europe/Berlin' });

const zoned: readonly [string, Schedule, string, string, string][] = [
  ['summer', berlin(24, 3), '2026-07-15T00:59:59Z', '2026-07-14T01:00:00+00:00', '2026-07-15T01:00:00.000Z'],
  ['summer, at the hour', berlin(24, 3), '2026-07-15T01:00:00Z', '2026-07-15T01:00:00+00:00', '2026-07-16T01:00:00.000Z'],
  ['winter', berlin(24, 3), '2026-01-15T02:30:00Z', '2026-01-15T02:00:00+00:00', '2026-01-16T02:00:00.000Z'],
  [
    'it is tomorrow there',
    { ...berlin(24, 1), timeZone: 'Pacific/Auckland' },
    '2026-07-14T14:00:00Z',
    '2026-07-14T13:00:00+00:00',
    '2026-07-15T13:00:00.000Z',
  ],
  ['the hour that never comes', berlin(24, 2, 30), '2026-03-29T01:29:00Z', '2026-03-28T01:30:00+00:00', '2026-03-29T01:30:00.000Z'],
  ['after it', berlin(24, 2, 30), '2026-03-29T01:30:00Z', '2026-03-29T01:30:00+00:00', '2026-03-30T00:30:00.000Z'],
  ['before the hour that comes twice', berlin(24, 2, 30), '2026-10-25T00:29:00Z', '2026-10-24T00:30:00+00:00', '2026-10-25T00:30:00.000Z'],
  ['when it has come once', berlin(24, 2, 30), '2026-10-25T01:15:00Z', '2026-10-25T00:30:00+00:00', '2026-10-26T01:30:00.000Z'],
  ['when it has come twice', berlin(24, 2, 30), '2026-10-25T01:31:00Z', '2026-10-25T00:30:00+00:00', '2026-10-26T01:30:00.000Z'],
  [
    'twice a day, by the clock also on a short one',
    berlin(12, 1),
    '2026-03-29T10:59:00Z',
    '2026-03-29T00:00:00+00:00',
    '2026-03-29T11:00:00.000Z',
  ],
  [
    'twice a day, by the clock also on a long one',
    berlin(12, 1),
    '2026-10-25T12:00:01Z',
    '2026-10-25T12:00:00+00:00',
    '2026-10-26T00:00:00.000Z',
  ],
];

for (const [what, schedule, now, expected, next] of zoned) {
  test(`scheduled times in a time zone: ${what}`, () => {
    assert.equal(normalizedBackupTime(schedule, new Date(now)), expected);
    assert.equal(nextScheduledTime(schedule, new Date(now))?.toISOString(), next);
  });
}

test('the first time of day from a moment on', () => {
  const first = (from: string) => firstTimeOfDay(berlin(168, 3), new Date(from))?.toISOString();
  assert.equal(first('2026-07-15T01:00:00Z'), '2026-07-15T01:00:00.000Z');
  assert.equal(first('2026-07-15T01:00:01Z'), '2026-07-16T01:00:00.000Z');
  assert.equal(first('2026-10-24T23:00:00Z'), '2026-10-25T02:00:00.000Z');
});

/** When backups begin in a year in which nothing fails, by going from one due time to the next. */
function yearOf(schedule: Schedule): Date[] {
  const site = { active: true, maintenance: false, obstacle: undefined, standby: undefined, running: false, requested: false } as const;
  const never = { failures: 0, lastFailure: undefined, retriesMax: undefined } satisfies Partial<SiteView>;
  const backups: BackupView[] = [];
  const stepAt = (now: Date) => nextStep({ ...site, ...never, backups: backups.slice(-3) }, schedule, now);
  let now = new Date('2026-01-01T00:05:00Z');
  while (now < new Date('2027-01-01T00:00:00Z')) {
    const step = stepAt(now);
    if (step.do === 'idle') {
      assert.ok(step.dueAt && step.dueAt > now, `${step.because} at ${now.toISOString()}: due at ${step.dueAt?.toISOString()}`);
      assert.equal(stepAt(new Date(step.dueAt.getTime() - 1000)).do, 'idle');
      now = step.dueAt;
    } else {
      backups.push({ startTime: now, decisionTime: now, reason: step.reason, normalizedTime: step.normalizedTime });
      now = new Date(now.getTime() + 5000);
    }
  }
  return backups.map(({ startTime }) => startTime);
}

for (const [schedule, count, walls] of [
  [berlin(24, 2, 30), 365, /^(02:30|03:30)$/],
  [berlin(12, 0, 10), 730, /^(00|12):10$/],
  [berlin(6, 4, 0), 1460, /^(04|10|16|22):00$/],
  [berlin(168, 2, 30), 53, /^(02:30|03:30)$/],
  [berlin(36, 3, 0), 183, /^03:00$/],
  [{ ...berlin(24, 0), timeZone: 'UTC' }, 365, /./],
] as const) {
  test(`a year of every ${schedule.intervalHours} hours from ${schedule.hour}:${schedule.minute} on in ${schedule.timeZone}`, () => {
    const [, ...taken] = yearOf(schedule);
    assert.ok(Math.abs(taken.length - count) <= 1, `${taken.length} backups`);
    const clock = new Intl.DateTimeFormat('de', { timeZone: schedule.timeZone, hour: '2-digit', minute: '2-digit' });
    // The first one is taken at once, and the second one may be due to that.
    for (const at of taken.slice(1)) assert.match(clock.format(at), walls, at.toISOString());
  });
}
