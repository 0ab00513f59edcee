import assert from 'node:assert/strict';
import { test } from 'node:test';
import { afterBeat, type Silence, type SilenceStep } from './silence.ts';

const told = { ms: 60_000, isTold: true };

const cases: [what: string, before: Silence, beat: { elapsedMs: number; heard: boolean }, after: Silence, step: SilenceStep][] = [
  ['silence grows', { ms: 1000, isTold: false }, { elapsedMs: 1000, heard: false }, { ms: 2000, isTold: false }, 'stay'],
  ['progress ends it', { ms: 59_000, isTold: false }, { elapsedMs: 1000, heard: true }, { ms: 0, isTold: false }, 'stay'],
  ['the deadline is reached', { ms: 59_000, isTold: false }, { elapsedMs: 1000, heard: false }, told, 'tell'],
  ['it is told once', told, { elapsedMs: 1000, heard: false }, { ms: 61_000, isTold: true }, 'stay'],
  ['what was told is taken back', told, { elapsedMs: 1000, heard: true }, { ms: 0, isTold: false }, 'take-back'],
  [
    'an hour in which the process stood still is one beat',
    { ms: 0, isTold: false },
    { elapsedMs: 3_600_000, heard: false },
    { ms: 2000, isTold: false },
    'stay',
  ],
  [
    'a clock that goes backwards does no harm',
    { ms: 5000, isTold: false },
    { elapsedMs: -3_600_000, heard: false },
    { ms: 5000, isTold: false },
    'stay',
  ],
];

for (const [what, before, beat, after, step] of cases) {
  test(what, () => assert.deepEqual(afterBeat(before, { ...beat, deadlineMs: 60_000 }, 2000), { silence: after, step }));
}
