import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type BackupView, nextStep, retryDelayMs, type SiteView } from './next-step.ts';
import type { Schedule } from './schedule.ts';

const now = new Date('2026-11-23T12:00:00Z');
const hoursAgo = (hours: number) => new Date(now.getTime() - hours * 3_600_000);
const backup = (hours: number, more: Partial<BackupView> = {}): BackupView => ({
  startTime: hoursAgo(hours),
  decisionTime: hoursAgo(hours),
  reason: 'scheduled',
  normalizedTime: undefined,
  ...more,
});
const quiet: SiteView = {
  active: true,
  maintenance: false,
  obstacle: undefined,
  standby: undefined,
  running: false,
  requested: false,
  backups: [backup(1)],
  failures: 0,
  lastFailure: undefined,
  retriesMax: undefined,
};
const daily: Schedule = { intervalHours: 24, hour: undefined, minute: undefined, timeZone: 'UTC' };
const dailyAtEleven: Schedule = { intervalHours: 24, hour: 11, minute: 0, timeZone: 'UTC' };
const onRequestOnly: Schedule = { intervalHours: null, hour: undefined, minute: undefined, timeZone: 'UTC' };

const weeklyAtEleven: Schedule = { ...dailyAtEleven, intervalHours: 168 };

const cases: readonly [string, Partial<SiteView>, Schedule, 'idle' | 'scheduled' | 'requested', RegExp][] = [
  ['a fresh backup is enough', {}, daily, 'idle', /due at 2026-11-24T11:00/],
  ['the first backup is taken at once', { backups: [] }, daily, 'scheduled', /no base backup yet/],
  ['an old backup is followed by a new one', { backups: [backup(24)] }, daily, 'scheduled', /began at/],
  ['nothing is taken while the store is unknown', { backups: undefined }, daily, 'idle', /not been listed/],
  ['a request needs no listing', { backups: undefined, requested: true }, daily, 'requested', /requested/],
  ['a null interval takes nothing by itself', { backups: [] }, onRequestOnly, 'idle', /only taken on request/],
  ['a null interval obeys a request', { backups: [], requested: true }, onRequestOnly, 'requested', /requested/],
  ['an inactive site rests', { active: false, requested: true }, daily, 'idle', /not active/],
  ['one backup at a time', { running: true, requested: true }, daily, 'idle', /running/],
  ['maintenance keeps a request waiting', { maintenance: true, requested: true }, daily, 'idle', /maintenance/],
  ['a site that another daemon works on is left to it', { standby: 'x has it', backups: [], requested: true }, daily, 'idle', /x has it/],
  ['an obstacle is named', { obstacle: 'no PGDATA', backups: [] }, daily, 'idle', /no PGDATA/],
  [
    'a request that waits is told',
    { maintenance: true, requested: true },
    daily,
    'idle',
    /maintenance mode is on; the base backup that was requested waits/,
  ],
  [
    'a week is not over after half of it',
    { backups: [backup(97)] },
    weeklyAtEleven,
    'idle',
    /the interval since the last scheduled .* ends at 2026-11-26T11:00/,
  ],
  ['a week is over at the hour', { backups: [backup(169)] }, weeklyAtEleven, 'scheduled', /11:00/],
  [
    'a clock that was ahead does not hold up the schedule',
    { backups: [backup(30), backup(-9000)] },
    daily,
    'scheduled',
    /began at 2026-11-22T06:00/,
  ],
  ['a host whose clock is a little ahead took one', { backups: [backup(-0.5)] }, daily, 'idle', /due at/],
  ['only backups of the future', { backups: [backup(-9000)] }, daily, 'scheduled', /no base backup yet/],
  [
    'a decision of the future, by a clock that has been right again since',
    { backups: [backup(25, { decisionTime: hoursAgo(-9000), normalizedTime: '2027-12-01T11:00:00+00:00' })] },
    dailyAtEleven,
    'scheduled',
    /is due/,
  ],
  [
    'such a decision of an hour ago is served all the same',
    { backups: [backup(1, { decisionTime: hoursAgo(-9000), normalizedTime: '2027-12-01T11:00:00+00:00' })] },
    dailyAtEleven,
    'idle',
    /half the interval since the last scheduled base backup ends at 2026-11-23T23:00/,
  ],
  ['a failure of the future holds up nothing', { backups: [], failures: 1, lastFailure: hoursAgo(-9000) }, daily, 'scheduled', /yet/],
  [
    'a failure backs off',
    { backups: [], failures: 1, lastFailure: hoursAgo(5 / 3600) },
    daily,
    'idle',
    /next attempt at 2026-11-23T12:00:05/,
  ],
  ['the back-off ends', { backups: [], failures: 1, lastFailure: hoursAgo(10 / 3600) }, daily, 'scheduled', /no base backup yet/],
  [
    'after too many failures the schedule waits for its next turn',
    { backups: [], failures: 3, retriesMax: 2, lastFailure: hoursAgo(23) },
    daily,
    'idle',
    /failed 3 times in a row; none is tried before 2026-11-23T13:00/,
  ],
  ['which comes', { backups: [], failures: 3, retriesMax: 2, lastFailure: hoursAgo(24) }, daily, 'scheduled', /no base backup yet/],
  ['as many failures as are allowed', { backups: [], failures: 2, retriesMax: 2, lastFailure: hoursAgo(2) }, daily, 'scheduled', /yet/],
  ['a request comes through', { requested: true, failures: 3, retriesMax: 2, lastFailure: hoursAgo(2) }, daily, 'requested', /requested/],
  ['the hour has come', { backups: [backup(24, { normalizedTime: '2026-11-22T11:00:00+00:00' })] }, dailyAtEleven, 'scheduled', /11:00/],
  [
    'the hour was served',
    { backups: [backup(1, { normalizedTime: '2026-11-23T11:00:00+00:00' })] },
    dailyAtEleven,
    'idle',
    /has been taken/,
  ],
  ['the hour moved: not twice within half an interval', { backups: [backup(3)] }, dailyAtEleven, 'idle', /half the interval/],
  [
    'a requested backup does not delay the schedule',
    { backups: [backup(1, { reason: 'requested' })] },
    dailyAtEleven,
    'scheduled',
    /11:00/,
  ],
];

for (const [what, view, schedule, expected, because] of cases) {
  test(`next step: ${what}`, () => {
    const step = nextStep({ ...quiet, ...view }, schedule, now);
    assert.equal(step.do === 'idle' ? 'idle' : step.reason, expected);
    assert.match(step.because, because);
  });
}

test('the delay after failures grows to an hour and stays there', () => {
  assert.deepEqual([1, 2, 3, 7, 100].map(retryDelayMs), [10_000, 30_000, 90_000, 3_600_000, 3_600_000]);
});
