import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RetainableBackup, RetentionRules } from '../../../retention/decide.ts';
import { comingBasebackups } from '../../coming-basebackups.ts';
import { judgeRetention } from './judge-retention.ts';

const dayMs = 86_400_000;
const now = new Date('2026-11-23T12:00:00Z');
const backups = [3, 2, 1, 0].map((age): RetainableBackup => {
  const time = new Date(now.getTime() - age * dayMs);
  return { name: `b${age}`, startTime: time, endTime: time, completed: time, startWalSegment: `00000001000000000000000${9 - age}` };
});

const cases: readonly [rules: Partial<RetentionRules>, result: string, because: RegExp][] = [
  [{ countMax: 1 }, 'warning', /3 of 4 base backups would be deleted/],
  [{ countMax: 2 }, 'ok', /the next pass deletes 2 of 4/],
  [{ countMax: 4 }, 'ok', /b3 is the next to be deleted, 2026-11-24/],
  [{ windowDays: 10 }, 'ok', /b3 is the next to be deleted, 2026-12-/],
  [{}, 'note', /no base backup is deleted within/],
  [{ countMax: 4, intervalHours: 0 }, 'note', /no base backup is deleted within/],
];

test('what the policy deletes next is told', () => {
  for (const [more, result, because] of cases) {
    const rules = { countMax: undefined, ageDaysMax: undefined, countMin: 1, intervalHours: 24, ...more };
    const schedule = { intervalHours: rules.intervalHours, hour: undefined, minute: undefined, timeZone: 'UTC' };
    const taken = backups.map(
      ({ startTime }) => ({ startTime, decisionTime: startTime, reason: 'scheduled', normalizedTime: undefined }) as const,
    );
    const finding = judgeRetention({ backups, rules, now, starts: comingBasebackups(taken, schedule, now) }, 'pghoard retention');
    assert.equal(finding.result, result, JSON.stringify(more));
    assert.match(finding.because, because);
    assert.equal(finding.remedy.includes('pghoard retention'), result === 'warning');
  }
});
