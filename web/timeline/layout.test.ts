import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { SpanState } from '../../src/daemon/http/api.ts';
import { layoutMarks, layoutStretches, scaleOf } from './layout.ts';
import type { Mark, Stretch } from './prepare.ts';

const states: readonly SpanState[] = ['proven', 'covered', 'hole', 'unknown'];
const isBad = (state: SpanState) => state === 'hole' || state === 'unknown';

function stretch(from: number, to: number, state: SpanState): Stretch {
  return { from, to, state, because: '', basebackups: [] };
}

function mark(at: number, state: Mark['state'] = 'covered'): Mark {
  return { at, name: String(at), state, because: '', bytes: undefined, reaches: undefined };
}

const someStretches = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 1_000_000 }), fc.integer({ min: 0, max: 50_000 }), fc.constantFrom(...states)), {
    maxLength: 120,
  })
  .map((parts) => parts.map(([from, length, state]) => stretch(from, from + length, state)).toSorted((a, b) => a.from - b.from));
const someWindow = fc
  .tuple(fc.integer({ min: -1000, max: 1_000_000 }), fc.integer({ min: 10, max: 1_100_000 }))
  .map(([from, length]) => ({ from, to: from + length }));

test('boxes lie beside each other within the picture, however many stretches there are', () => {
  fc.assert(
    fc.property(someStretches, someWindow, fc.integer({ min: 50, max: 2000 }), (stretches, window, width) => {
      const boxes = layoutStretches(stretches, window, width);
      let last = 0;
      for (const { x0, x1 } of boxes) {
        assert(x0 >= last - 1e-6 && x1 > x0 && x1 <= width + 1e-6, `${x0}..${x1} after ${last}`);
        last = x1;
      }
    }),
  );
});

test('what cannot be restored is never hidden, and nothing is shown as good by more than a pixel', () => {
  fc.assert(
    fc.property(someStretches, someWindow, fc.integer({ min: 50, max: 2000 }), (stretches, window, width) => {
      const boxes = layoutStretches(stretches, window, width);
      const scale = scaleOf(window, width);
      for (const { from, to, state } of stretches) {
        if (!isBad(state) || to < window.from || from > window.to) continue;
        const x = Math.max(0, Math.min(scale(from), width - 3)) + 1e-6;
        assert(
          boxes.some((box) => isBad(box.state) && box.x0 <= x && x <= box.x1),
          `${state} at ${x}`,
        );
      }
      for (const box of boxes.filter(({ state }) => !isBad(state))) {
        const middle = (box.x0 + box.x1) / 2;
        const isTrue = stretches.some(({ from, to, state }) => !isBad(state) && scale(from) - 1.01 <= middle && middle <= scale(to) + 1.01);
        assert(isTrue, `nothing good at ${middle}`);
      }
    }),
  );
});

test('a second missing in ninety days is three pixels wide', () => {
  const day = 86_400_000;
  const boxes = layoutStretches(
    [stretch(0, 45 * day, 'proven'), stretch(45 * day, 45 * day + 1000, 'hole'), stretch(45 * day + 1000, 90 * day, 'covered')],
    { from: 0, to: 90 * day },
    900,
  );
  assert.deepEqual(
    boxes.map(({ state }) => state),
    ['proven', 'hole', 'covered'],
  );
  assert.equal(Math.round((boxes[1]?.x1 ?? 0) - (boxes[1]?.x0 ?? 0)), 3);
});

test('two thousand base backups become no more groups than can be told apart, and none is lost', () => {
  const marks = Array.from({ length: 2000 }, (_, index) => mark(index, index === 777 ? 'corrupt' : 'covered'));
  const groups = layoutMarks(marks, { from: 0, to: 2000 }, 900);
  assert(groups.length <= 100);
  assert.equal(
    groups.reduce((sum, { marks: ofGroup }) => sum + ofGroup.length, 0),
    2000,
  );
  assert.equal(groups.filter(({ isSound }) => !isSound).length, 1);
  assert.deepEqual(layoutMarks(marks, { from: 10, to: 20 }, 900).map(({ x }) => x)[1], 90);
});

test('2 000 base backups over 90 days, cut into as many stretches, are laid out at once', () => {
  const step = (90 * 86_400_000) / 2000;
  const stretches = Array.from({ length: 2000 }, (_, index) =>
    stretch(index * step, (index + 1) * step - 1000, states[index % 4] ?? 'hole'),
  );
  const begun = performance.now();
  const boxes = layoutStretches(stretches, { from: 0, to: 2000 * step }, 1200);
  assert(boxes.length < 3 * 1200);
  assert(performance.now() - begun < 1000, 'even on a busy machine');
});
