import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assert as assertAll, property } from 'fast-check';
import { asFacts, type MadeUpHistory, madeUpHistory } from '../../../test/support/made-up-history.ts';
import { isWithin, oracleOf, stateAt } from '../../../test/support/recovery-oracle.ts';
import { findRecoverability } from './find-recoverability.ts';
import type { Span } from './recoverability.ts';

const runs = 300;

interface Told {
  readonly history: MadeUpHistory;
  readonly timeline: number;
  readonly span: Span;
}

function eachSpan(check: (told: Told) => void): void {
  assertAll(
    property(madeUpHistory, (history) => {
      for (const { timeline, spans } of findRecoverability(asFacts(history)).timelines)
        for (const span of spans) check({ history, timeline, span });
    }),
    { numRuns: runs },
  );
}

const isGood = ({ state }: Span) => state === 'covered' || state === 'proven';

test('what it claims can be reached: every position, as recovery reads segment by segment', () => {
  eachSpan(({ history, timeline, span }) => {
    const [from, to] = [span.from.lsn ?? span.to.lsn, span.to.lsn];
    if (!isGood(span) || from === undefined || to === undefined) return;
    const reached = oracleOf(history).filter((each) => each.timeline === timeline);
    assert.ok(isWithin({ from, to }, reached), `${span.because}: ${from}-${to}`);
  });
});

test('what it claims can be reached: every second, with all that had been committed by then', () => {
  eachSpan(({ history, timeline, span: { from, to, ...span } }) => {
    if (!isGood({ from, to, ...span }) || from.time === undefined || to.time === undefined) return;
    assert.ok(from.time <= to.time, 'in their order');
    for (let ms = from.time.getTime(); ms <= to.time.getTime(); ms += Math.max(1000, (to.time.getTime() - from.time.getTime()) / 20)) {
      assert.ok(stateAt(history, timeline, ms), `${span.because}: ${new Date(ms).toISOString()}`);
    }
    assert.ok(stateAt(history, timeline, to.time.getTime()), `${span.because}: ${to.time.toISOString()}`);
  });
});

test('what it calls a hole cannot be reached', () => {
  eachSpan(({ history, timeline, span }) => {
    if (span.state !== 'hole' || span.from.lsn === undefined || span.to.lsn === undefined) return;
    const { from, to } = { from: span.from.lsn, to: span.to.lsn };
    for (const reach of oracleOf(history, true)) {
      // Where a base backup ends right at a switch it is told of with what it reaches.
      if (reach.timeline !== timeline || reach.from === reach.to) continue;
      assert.ok(reach.to <= from || reach.from >= to, `${span.because}: ${from}-${to}, but ${reach.from}-${reach.to} by ${reach.backup}`);
    }
  });
});

test('what can be reached is told, and spans do not overlap', () => {
  assertAll(
    property(madeUpHistory, (history) => {
      const { timelines, basebackups } = findRecoverability(asFacts(history));
      const reached = oracleOf(history, true);
      for (const reach of reached.filter(({ from, to }) => from < to)) {
        const spans = timelines.find(({ timeline }) => timeline === reach.timeline)?.spans ?? [];
        const told = spans
          .filter((span) => isGood(span) || span.state === 'unknown')
          .flatMap(({ from, to }) => (from.lsn === undefined || to.lsn === undefined ? [] : [{ from: from.lsn, to: to.lsn }]));
        assert.ok(isWithin(reach, told), `timeline ${reach.timeline}: ${reach.from}-${reach.to} by ${reach.backup}`);
      }
      for (const { spans } of timelines) {
        for (const [index, { from }] of spans.entries()) {
          const before = spans[index - 1]?.to.lsn;
          assert.ok(before === undefined || from.lsn === undefined || before <= from.lsn);
        }
      }
      for (const { name, state } of basebackups) {
        if (state === 'unproven') continue;
        const isReached = oracleOf(history).some(({ backup }) => backup === name);
        assert.equal(['covered', 'proven'].includes(state), isReached, `${name} is ${state}`);
      }
    }),
    { numRuns: runs },
  );
});
