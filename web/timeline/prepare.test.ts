import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RecoverabilityDocument, SpanState } from '../../src/daemon/http/api.ts';
import { whatIsAt } from './at-second.ts';
import { prepare } from './prepare.ts';

type Span = RecoverabilityDocument['timelines'][number]['spans'][number];

const iso = (minute: number) => new Date(Date.UTC(2026, 10, 30, 0, minute)).toISOString();
const ms = (minute: number) => Date.UTC(2026, 10, 30, 0, minute);

function span(state: SpanState, from: number | null, to: number | null, lastCommit: number | null = null): Span {
  const point = (minute: number | null) => ({ lsn: '0/1000000', time: minute === null ? null : iso(minute) });
  return {
    state,
    from: point(from),
    to: point(to),
    last_commit: lastCommit === null ? null : iso(lastCommit),
    basebackups: [],
    cause: null,
    because: `${state} it is`,
  };
}

function documentOf(spans: Span[], changes: Partial<RecoverabilityDocument> = {}): RecoverabilityDocument {
  const timeline = { timeline: 1, parent: null, is_current: true, spans, restore_points: [] };
  return {
    site: 's',
    at: iso(100),
    is_known: true,
    because: null,
    segment_bytes: 1,
    current_timeline: 1,
    newest: null,
    timelines: [timeline],
    basebackups: [],
    ...changes,
  };
}

const laneOf = (spans: Span[]) => {
  const lane = prepare(documentOf(spans))?.lanes[0];
  assert(lane);
  return lane;
};

test('what has no time is drawn no better than it is known to be', () => {
  const { stretches } = laneOf([
    span('covered', 0, 10),
    span('hole', null, null),
    span('covered', 20, null, 25),
    span('unknown', null, null),
    span('proven', null, null),
  ]);
  assert.deepEqual(
    stretches.map(({ state, from, to }) => [state, from, to]),
    [
      ['covered', ms(0), ms(10)],
      ['hole', ms(10), ms(20)],
      ['covered', ms(20), ms(25)],
    ],
  );
});

test('a span that ends before it begins, as after a clock was set back, is a moment', () => {
  assert.deepEqual(
    laneOf([span('covered', 10, 5)]).stretches.map(({ from, to }) => [from, to]),
    [[ms(10), ms(10)]],
  );
});

test('nothing with a time is nothing to draw; a moment alone gets an hour', () => {
  assert.equal(prepare(documentOf([])), undefined);
  const prepared = prepare(documentOf([span('covered', 100, 100)]));
  assert.deepEqual([prepared?.from, prepared?.to], [ms(40), ms(100)]);
});

test('marks lie on their timelines, the newest of which is first', () => {
  const mark = {
    state: 'covered',
    because: '',
    cause: null,
    start: iso(1),
    stored_bytes: 5,
    first_segment: null,
    last_segment: null,
    from: null,
    reaches: null,
    is_alone: false,
    verified_at: null,
    drilled_at: null,
  } as const;
  const prepared = prepare(
    documentOf([], {
      timelines: [1, 2].map((timeline) => ({
        timeline,
        parent: null,
        is_current: timeline === 2,
        spans: [],
        restore_points: [{ name: 'p', lsn: '0/1', time: iso(3), is_reachable: true }],
      })),
      basebackups: [
        { ...mark, name: 'b', timeline: 2, end: iso(9) },
        { ...mark, name: 'a', timeline: 2, end: null },
        { ...mark, name: 'none', timeline: 1, start: null, end: null },
      ],
    }),
  );
  assert.deepEqual(
    prepared?.lanes.map(({ timeline, marks }) => [timeline, marks.map(({ name }) => name)]),
    [
      [2, ['a', 'b']],
      [1, []],
    ],
  );
  assert.deepEqual(prepared?.lanes[0]?.flags, [{ at: ms(3), name: 'p', isReachable: true }]);
});

test('of a second it is told what holds, and what is nearest where it cannot be restored', () => {
  const lane = laneOf([span('proven', 0, 10), span('hole', 10, 20), span('covered', 20, 30)]);
  assert.deepEqual(whatIsAt(lane, ms(5)), {
    state: 'proven',
    because: 'proven it is',
    isRestorable: true,
    before: undefined,
    after: undefined,
  });
  assert.deepEqual(
    [10, 20].map((minute) => whatIsAt(lane, ms(minute)).state),
    ['proven', 'covered'],
  );
  assert.deepEqual(whatIsAt(lane, ms(15)), { state: 'hole', because: 'hole it is', isRestorable: false, before: ms(10), after: ms(20) });
  const { state, isRestorable, before, after } = whatIsAt(lane, ms(40));
  assert.deepEqual([state, isRestorable, before, after], ['nothing', false, ms(30), undefined]);
});

test('a second that lies in two stretches can be restored only if both say so', () => {
  const lane = laneOf([span('covered', 0, 20), span('hole', 15, 25), span('proven', 0, 12)]);
  assert.deepEqual(
    [5, 16].map((minute) => whatIsAt(lane, ms(minute)).state),
    ['covered', 'hole'],
  );
});
