import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judgeFlat, type Point } from './judge-flat.ts';

const points = (count: number, hours: number, value: (at: number) => number): Point[] =>
  Array.from({ length: count }, (_, at) => ({ hours: (hours * at) / (count - 1), value: value(at) }));

test('what grows steadily is found, however it swings', () => {
  const swinging = points(301, 1, (at) => 100 + at / 15 + (at % 18 < 5 ? 60 : 0));
  const { slopePerHour, isFlat } = judgeFlat(swinging, 12);
  assert.ok(Math.abs(slopePerHour - 20) < 1, `${slopePerHour}`);
  assert.equal(isFlat, false);
  assert.equal(judgeFlat(swinging, 24).isFlat, true);
});

test('what swings, jumps once or falls is flat', () => {
  assert.deepEqual(
    judgeFlat(
      points(301, 1, (at) => (at % 18 < 5 ? 160 : 100)),
      1,
    ),
    { quarters: [100, 100, 100, 100], slopePerHour: 0, isFlat: true },
  );
  assert.equal(
    judgeFlat(
      points(301, 1, (at) => (at === 200 ? 1e6 : 30)),
      1,
    ).isFlat,
    true,
  );
  assert.equal(
    judgeFlat(
      points(301, 1, (at) => 100 - at),
      1,
    ).isFlat,
    true,
  );
});

test('a short time may bring what an hour may, a long one in proportion', () => {
  const growingBy = (growth: number, hours: number) => points(121, hours, (at) => (growth * at) / 120);
  assert.deepEqual([judgeFlat(growingBy(9, 0.02), 10).isFlat, judgeFlat(growingBy(11, 0.02), 10).isFlat], [true, false]);
  assert.deepEqual([judgeFlat(growingBy(39, 4), 10).isFlat, judgeFlat(growingBy(41, 4), 10).isFlat], [true, false]);
});
