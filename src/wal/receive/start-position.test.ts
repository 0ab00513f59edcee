import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isOperatorError } from '../../lib/errors.ts';
import { parseLsn } from '../../postgres/lsn.ts';
import { decideStart, type StartView } from './start-position.ts';

/** Segment `number` of 1 MiB. */
const seg = (number: number, timeline = 1) => `${hex8(timeline)}00000000${hex8(number)}`;
const hex8 = (value: number) => value.toString(16).toUpperCase().padStart(8, '0');
type Base = Pick<StartView, 'server' | 'history'>;

/** `number` segments and a bit more. */
const lsn = (number: number, more = 0) => BigInt(number * 2 ** 20 + more);

const whole = (number: number, timeline = 1) => ({ name: seg(number, timeline), isPartial: false });
const partial = (number: number, timeline = 1) => ({ name: seg(number, timeline), isPartial: true });
const stored = (last?: string, newestTimeline?: number) => ({ last, newestTimeline });

const first: Base = { server: { timeline: 1, position: lsn(20, 5000), segmentBytes: 2 ** 20 }, history: [] };
/** Timeline 1 was left within segment 8, timeline 2 within the same a bit later, timeline 3 at the beginning of segment 12. */
const fourth: Base = {
  server: { timeline: 4, position: lsn(20, 5000), segmentBytes: 2 ** 20 },
  history: [
    { timeline: 1, switchLsn: lsn(8, 100), reason: '' },
    { timeline: 2, switchLsn: lsn(8, 200), reason: '' },
    { timeline: 3, switchLsn: lsn(12), reason: '' },
  ],
};
const nothing = { received: undefined, stored: stored(), remembered: undefined, slotLsn: undefined };

const starts: readonly (readonly [string, Partial<StartView> & Base, string])[] = [
  ['nothing anywhere: where the server is', first, '1 20 server'],
  ['a slot holds WAL: from there on', { ...first, slotLsn: lsn(14, 77) }, '1 14 slot'],
  ['a slot that reaches back to an ancestor', { ...fourth, slotLsn: lsn(8, 50) }, '1 8 slot'],
  ['a slot at the place where a timeline was left', { ...fourth, slotLsn: lsn(8, 100) }, '2 8 slot'],
  [
    'what an earlier daemon remembered counts more than the slot',
    { ...first, remembered: remembered(15, 3), slotLsn: lsn(14) },
    '1 15 state',
  ],
  ['what lies beyond the server is not believed', { ...first, remembered: remembered(21), slotLsn: lsn(14) }, '1 14 slot'],
  ['behind what is stored', { ...first, stored: stored(seg(11)), slotLsn: lsn(3), remembered: remembered(9) }, '1 12 stored'],
  [
    'the last stored segment of the original is compared',
    { ...first, stored: stored(seg(11)), remembered: remembered(12, 0, true) },
    '1 11 stored',
  ],
  [
    'but not once something was received',
    { ...first, received: whole(12), stored: stored(seg(11)), remembered: remembered(12, 0, true) },
    '1 13 received',
  ],
  [
    'a hole before it that the slot holds',
    { ...first, stored: { ...stored(seg(11)), missing: seg(7) }, received: whole(12) },
    '1 7 missing',
  ],
  ['behind what was received', { ...first, received: whole(13), stored: stored(seg(11)) }, '1 14 received'],
  ['a partial segment again from its beginning', { ...first, received: partial(13), stored: stored(seg(11)) }, '1 13 received'],
  ['an old file in the directory, the store is further', { ...first, received: whole(3), stored: stored(seg(11)) }, '1 12 stored'],
  ['the store does not answer, the directory tells', { ...first, received: partial(13), stored: undefined }, '1 13 received uncertain'],
  [
    'all there is: the next byte of the server',
    { ...first, server: { ...first.server, position: lsn(20) }, stored: stored(seg(19)) },
    '1 20 stored',
  ],
  ['an ancestor is received to its end', { ...fourth, stored: stored(seg(7)) }, '1 8 stored'],
  ['also where only its last part is missing', { ...fourth, received: partial(8) }, '1 8 received'],
  ['on the second of two timelines in one segment', { ...fourth, received: partial(8, 2) }, '2 8 received'],
  ['a timeline that ended with a segment is complete', { ...fourth, stored: stored(seg(11, 3)) }, '4 12 stored'],
  ['a partial segment of it without anything in it, too', { ...fourth, received: partial(12, 3) }, '4 12 received'],
  ['of two places, the one on the newer timeline', { ...fourth, received: partial(8), stored: stored(seg(9, 3)) }, '3 10 stored'],
  [
    'a newer timeline is stored, but this server is the one that is followed',
    { ...first, received: partial(12), stored: stored(seg(11), 2) },
    '1 12 received',
  ],
];

const refusals: readonly (readonly [string, Partial<StartView> & Base, string])[] = [
  ['nothing received and the store does not answer', { ...first, stored: undefined, slotLsn: lsn(3) }, 'wal-position-unknown'],
  ['received from a newer timeline', { ...first, received: partial(9, 2) }, 'wal-timeline-ahead'],
  [
    'received from a timeline that is no ancestor',
    { ...fourth, server: { ...fourth.server, timeline: 5 }, received: whole(13, 4) },
    'wal-timeline-ahead',
  ],
  ['a newer timeline is stored', { ...first, stored: stored(seg(11), 2) }, 'wal-timeline-ahead'],
  [
    'a newer timeline is stored, and what lies here is old',
    { ...first, received: whole(3), stored: stored(seg(11), 2) },
    'wal-timeline-ahead',
  ],
  ['received beyond where the timeline was left', { ...fourth, received: whole(9) }, 'wal-diverged'],
  ['received the whole segment within which it was left', { ...fourth, received: whole(8) }, 'wal-diverged'],
  ['received a part of a segment beyond it', { ...fourth, received: partial(13, 3) }, 'wal-diverged'],
  ['received more than the server has', { ...first, received: whole(20) }, 'wal-position-ahead'],
  ['stored more than the server has', { ...first, stored: stored(seg(20)) }, 'wal-position-ahead'],
];

for (const [what, view, expected] of starts) {
  test(`${what}: ${expected}`, () => {
    const start = decideStart({ ...nothing, ...view });
    const because = /server|slot|state|missing|stored|received/.exec(start.because)?.[0];
    assert.equal(start.lsn % lsn(1), 0n);
    assert.equal(`${start.timeline} ${start.lsn / lsn(1)} ${because}${start.isCertain ? '' : ' uncertain'}`, expected);
  });
}

for (const [what, view, code] of refusals) {
  test(`${what}: ${code}`, () => {
    assert.throws(
      () => decideStart({ ...nothing, ...view }),
      (error) => isOperatorError(error, code),
    );
  });
}

test('a position near the end of the address space is no trouble', () => {
  const position = parseLsn('FFFFFFFF/FFF00000');
  const { lsn: at } = decideStart({ ...nothing, ...first, server: { timeline: 1, position, segmentBytes: 2 ** 30 } });
  assert.equal(at, parseLsn('FFFFFFFF/C0000000'));
});

function remembered(number: number, more = 0, byOriginal = false) {
  return { lsn: lsn(number, more), byOriginal };
}
