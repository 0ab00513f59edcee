import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Schedule } from '../schedule.ts';
import { type DrillInBrief, drillTroubles, nextDrill } from './drill-schedule.ts';

const schedule = (changes: Partial<Schedule> = {}): Schedule => ({
  intervalHours: 168,
  hour: undefined,
  minute: undefined,
  timeZone: 'UTC',
  ...changes,
});
const drill = (begun: string, result: DrillInBrief['result'] = 'passed'): DrillInBrief => {
  return { begun_at: `2026-11-${begun}:00.000Z`, result, because: result === 'passed' ? null : 'so it is', basebackup: 'b' };
};
const at = (moment: string) => new Date(`2026-11-${moment}:00.000Z`);

const cases: [what: string, schedule: Schedule, drills: DrillInBrief[], now: string, due: string | undefined][] = [
  ['never, where none is wished for', schedule({ intervalHours: null }), [], '10T12:00', undefined],
  ['at once, where there was none yet', schedule(), [], '10T12:00', '10T12:00'],
  ['an interval after the last one', schedule(), [drill('01T00:00'), drill('03T04:30')], '04T00:00', '10T04:30'],
  ['a failed one is no reason to hurry', schedule(), [drill('03T04:30', 'failed')], '04T00:00', '10T04:30'],
  ['sooner, where it could not be held', schedule(), [drill('03T04:30', 'impossible')], '03T05:00', '03T11:30'],
  ['but not sooner than it would be', schedule({ intervalHours: 0.5 }), [drill('03T04:30', 'impossible')], '03T04:31', '03T05:00'],
  ['at the hour of the day, a week later', schedule({ hour: 2, minute: 15 }), [drill('03T02:15')], '04T00:00', '10T02:15'],
  ['at the hour, whenever the last one was on that day', schedule({ hour: 2 }), [drill('03T17:00')], '04T00:00', '10T02:00'],
  ['several times a day', schedule({ hour: 2, intervalHours: 6 }), [drill('03T02:00')], '03T07:00', '03T08:00'],
  ['several times a day, one being due', schedule({ hour: 2, intervalHours: 6 }), [drill('03T02:00')], '03T08:05', '03T08:00'],
  ['in the zone of the site', schedule({ hour: 2, timeZone: 'Europe/Helsinki' }), [drill('03T00:00')], '04T00:00', '10T00:00'],
];

for (const [what, rules, drills, now, due] of cases) {
  test(`a drill is due: ${what}`, () => {
    assert.equal(nextDrill(rules, drills, at(now))?.toISOString(), due && at(due).toISOString());
  });
}

test('a failure is told until one passes; one that could not be held changes nothing', () => {
  const troubles = (...drills: DrillInBrief[]) => drillTroubles(schedule(), drills, at('01T00:00'), at('05T00:00'));
  assert.match(troubles(drill('02T00:00', 'failed'), drill('03T00:00', 'impossible')).failed ?? '', /base backup b failed: so it is/);
  assert.equal(troubles(drill('02T00:00', 'failed'), drill('03T00:00')).failed, undefined);
  assert.equal(troubles().failed, undefined);
});

test('that none has been held for two intervals is told, with what stood in the way', () => {
  const troubles = (now: string, ...drills: DrillInBrief[]) =>
    drillTroubles(schedule({ intervalHours: 24 }), drills, at('01T00:00'), at(now));
  assert.equal(troubles('02T23:00').overdue, undefined);
  assert.match(troubles('03T01:00').overdue ?? '', /no restore drill has been held yet, and one is due every 24 hours$/);
  assert.match(
    troubles('05T00:00', drill('02T00:00', 'failed'), drill('03T00:00', 'impossible')).overdue ?? '',
    /was held on 2026-11-02.*: so it is/,
  );
  assert.equal(troubles('05T00:00', drill('04T00:00', 'failed')).overdue, undefined, 'it was held');
});
