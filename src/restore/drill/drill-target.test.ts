import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { RecoverabilityDocument } from '../../catalog/recoverability/recoverability-document.ts';
import { isOperatorError } from '../../lib/errors.ts';
import { chooseDrillTarget, type DrillWish } from './drill-target.ts';

type Backup = RecoverabilityDocument['basebackups'][number];
type Span = RecoverabilityDocument['timelines'][number]['spans'][number];

const at = (minute: number) => new Date(Date.UTC(2026, 10, 30, 12, minute)).toISOString();

function backup(name: string, changes: Partial<Backup> = {}): Backup {
  return {
    name,
    state: 'covered',
    because: 'is what it is',
    cause: null,
    timeline: 1,
    start: at(0),
    end: at(1),
    stored_bytes: 1,
    first_segment: null,
    last_segment: null,
    from: { timeline: 1, lsn: '0/2000000', time: at(1) },
    reaches: { timeline: 1, lsn: '0/9000000', time: at(50) },
    is_alone: false,
    verified_at: null,
    drilled_at: null,
    ...changes,
  };
}

function span(changes: Partial<Span> = {}): Span {
  return {
    state: 'covered',
    from: { lsn: '0/2000000', time: at(1) },
    to: { lsn: '0/9000000', time: at(50) },
    last_commit: at(40),
    basebackups: [],
    cause: null,
    because: '',
    ...changes,
  };
}

function claims(basebackups: Backup[], spans: Span[] = [span()], timeline = 1): RecoverabilityDocument {
  return {
    site: 'main',
    at: at(59),
    is_known: true,
    because: null,
    segment_bytes: 1 << 24,
    current_timeline: timeline,
    newest: null,
    timelines: [{ timeline, parent: null, is_current: true, spans, restore_points: [] }],
    basebackups,
  };
}

const wish = (changes: Partial<DrillWish> = {}): DrillWish => ({ basebackup: undefined, target: 'random', ...changes });
const chance = (next: number) => ({ next: () => next, hex: () => '' });

test('the moment lies between the end of the base backup and the last known commit, and always before that', () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 0.999_999_999, noNaN: true }), fc.integer({ min: 2, max: 40 }), (next, commit) => {
      const { target, basebackup, timeline } = chooseDrillTarget(
        claims([backup('a')], [span({ last_commit: at(commit) })]),
        wish(),
        chance(next),
      );
      assert(target.kind === 'time' && basebackup === 'a' && timeline === 1);
      assert(target.time.epochMs >= Date.parse(at(1)) && target.time.epochMs < Date.parse(at(commit)));
    }),
  );
});

test('the end of the WAL where that is wished, and where there is nothing to draw from', () => {
  const cases: [RecoverabilityDocument, DrillWish][] = [
    [claims([backup('a')]), wish({ target: 'latest' })],
    [claims([backup('a')], [span({ last_commit: null })]), wish()],
    [claims([backup('a')], [span({ last_commit: at(1) })]), wish()],
    [claims([backup('a', { end: null })]), wish()],
    [claims([backup('a', { reaches: { timeline: 1, lsn: null, time: null } })]), wish()],
  ];
  for (const [document, wished] of cases) assert.deepEqual(chooseDrillTarget(document, wished, chance(0.5)).target, { kind: 'latest' });
});

test('a hole behind the base backup, and what lies behind that, are no place for a target', () => {
  const hole = span({ state: 'hole', from: { lsn: '0/9000000', time: at(50) }, to: { lsn: '0/A000000', time: at(55) }, last_commit: null });
  const beyond = span({ from: { lsn: '0/A000000', time: at(55) }, to: { lsn: '0/C000000', time: at(58) }, last_commit: at(57) });
  const { target } = chooseDrillTarget(claims([backup('a')], [span(), hole, beyond]), wish(), chance(0.999_999));
  assert(target.kind === 'time' && target.time.epochMs < Date.parse(at(40)));
});

test('the newest base backup that can be restored is taken, or the one that is named', () => {
  const all = [backup('a'), backup('b', { state: 'proven' }), backup('c', { state: 'lacking' }), backup('d', { state: 'unproven' })];
  assert.equal(chooseDrillTarget(claims(all), wish(), chance(0)).basebackup, 'b');
  assert.equal(chooseDrillTarget(claims(all), wish({ basebackup: 'a' }), chance(0)).basebackup, 'a');
});

test('it is recovered along the timeline to which it leads; one without WAL behind it to its own end', () => {
  const reaching = backup('a', { reaches: { timeline: 3, lsn: '0/9000000', time: null } });
  assert.equal(chooseDrillTarget(claims([reaching], [span()], 3), wish(), chance(0)).timeline, 3);
  assert.deepEqual(chooseDrillTarget(claims([backup('a', { is_alone: true })]), wish(), chance(0)).target, { kind: 'immediate' });
});

test('where nothing is claimed no drill is held, and the reason is given', () => {
  const cases: [RecoverabilityDocument, DrillWish, RegExp][] = [
    [{ ...claims([]), is_known: false, because: 'the store is down' }, wish(), /the store is down/],
    [claims([]), wish(), /no base backup yet/],
    [claims([backup('a', { state: 'corrupt', because: 'is damaged' })]), wish(), /a is damaged/],
    [claims([backup('a')]), wish({ basebackup: 'x' }), /no base backup x/],
    [claims([backup('a', { reaches: null })]), wish(), /how far/],
  ];
  for (const [document, wished, reason] of cases) {
    assert.throws(
      () => chooseDrillTarget(document, wished, chance(0)),
      (error) => isOperatorError(error, 'drill-impossible') && reason.test(error.message),
    );
  }
});
