import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { pan, reveal, windowMsMin, within, zoom } from './window.ts';

const limits = { from: 0, to: 90 * 86_400_000 };
const someWindow = fc
  .tuple(fc.double({ min: 0, max: limits.to, noNaN: true }), fc.double({ min: windowMsMin, max: limits.to, noNaN: true }))
  .map(([from, width]) => within({ from, to: from + width }, limits));

test('nobody looks past the limits, or closer than ten seconds', () => {
  fc.assert(
    fc.property(
      someWindow,
      fc.double({ min: 0.001, max: 1000, noNaN: true }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.double({ min: -1e10, max: 1e10, noNaN: true }),
      (window, factor, share, ms) => {
        const anchor = window.from + share * (window.to - window.from);
        for (const { from, to } of [
          zoom(window, limits, factor, anchor),
          pan(window, limits, ms),
          reveal(window, limits, Math.abs(ms) % limits.to),
        ]) {
          assert(from >= -1e-3 && to <= limits.to + 1e-3 && to - from >= windowMsMin - 1e-3, `${from} ${to}`);
        }
      },
    ),
  );
});

test('what is under the pointer stays there', () => {
  const window = zoom({ from: 1e9, to: 2e9 }, limits, 0.5, 1.25e9);
  assert.deepEqual(window, { from: 1.125e9, to: 1.625e9 });
  assert.deepEqual(zoom(window, limits, 2, 1.25e9), { from: 1e9, to: 2e9 });
});

test('a moment out of sight is brought in by the smallest move', () => {
  assert.deepEqual(reveal({ from: 100_000, to: 200_000 }, limits, 250_000), { from: 150_000, to: 250_000 });
  assert.deepEqual(reveal({ from: 100_000, to: 200_000 }, limits, 50_000), { from: 50_000, to: 150_000 });
  assert.deepEqual(reveal({ from: 100_000, to: 200_000 }, limits, 150_000), { from: 100_000, to: 200_000 });
});

test('limits that are closer than ten seconds do no harm', () => {
  assert.deepEqual(within({ from: 0, to: 5 }, { from: 3, to: 4 }), { from: 3, to: 8 });
});
