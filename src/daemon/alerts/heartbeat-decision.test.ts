import assert from 'node:assert/strict';
import { test } from 'node:test';
import { heartbeatDecision } from './heartbeat-decision.ts';

type Health = Parameters<typeof heartbeatDecision>[0];

const until = new Date('2026-11-30T12:00:00Z');
const well: Health = {
  verdict: { is: 'ok', because: [] },
  restorable: { is: true, state: 'yes', from: new Date(0), until, untilSecondsAgo: 10, because: 'all WAL is stored' },
  alerts: [],
  store: { reachable: true, because: 'the store answers' },
  walLag: { bytes: 0, seconds: 0, because: 'all WAL is stored' },
};
const { until: _until, untilSecondsAgo: _age, ...withoutUntil } = well.restorable;

const cases: readonly (readonly [what: string, change: Partial<Health>, hasOnlyBasebackups: boolean, because: RegExp | undefined])[] = [
  ['all is well', {}, false, undefined],
  [
    'something else is wrong',
    { alerts: [{ name: 'lease_lost', because: '' }], verdict: { is: 'attention', because: [] } },
    false,
    undefined,
  ],
  ['some bytes behind', { walLag: { bytes: 5_000, because: '' } }, false, undefined],
  ['an hour old', { restorable: { ...well.restorable, untilSecondsAgo: 3600 } }, false, undefined],
  ['older', { restorable: { ...well.restorable, untilSecondsAgo: 3601 } }, false, /3601 s old, more than 3600/],
  [
    'not restorable',
    { restorable: { is: false, state: 'no', because: 'there is no complete base backup' } },
    false,
    /no complete base backup/,
  ],
  ['nobody knows', { restorable: { is: false, state: 'unknown', because: 'the store has not been listed' } }, false, /not been listed/],
  ['no second is known', { restorable: withoutUntil }, false, /nothing tells/],
  ['a hole', { alerts: [{ name: 'wal_gap', because: 'WAL is missing' }] }, false, /WAL is missing/],
  ['the store does not answer', { store: { reachable: false, because: 'not since noon' } }, false, /not since noon/],
  ['the store was not asked', { store: { because: 'not asked yet' } }, false, /not asked yet/],
  ['the server does not tell where it is', { walLag: { because: 'it does not answer' } }, false, /does not answer/],
  ['no WAL is archived on purpose', { walLag: { because: 'this daemon archives no WAL' } }, true, undefined],
  ['the site is not active', { verdict: { is: 'inactive', because: [] } }, false, /not active/],
];

for (const [what, change, hasOnlyBasebackups, because] of cases)
  test(`the heart ${because === undefined ? 'beats' : 'is silent'}: ${what}`, () => {
    const decision = heartbeatDecision({ ...well, ...change }, { maxAgeSeconds: 3600, hasOnlyBasebackups });
    assert.equal(decision.isWell, because === undefined);
    assert.match(decision.because, because ?? /can be restored to 2026-11-30T12/);
  });
