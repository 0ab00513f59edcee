import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';

process.env['TZ'] = 'Europe/Helsinki';
const { ticksOf } = await import('./ticks.ts');

const at = (local: string) => new Date(local).getTime();
const labels = (from: string, to: string, count: number) => ticksOf({ from: at(from), to: at(to) }, count).map(({ label }) => label);

test('round times of the clock, whatever is seen', () => {
  assert.deepEqual(labels('2026-11-30T10:00:00.5', '2026-11-30T10:00:10', 10), [
    '10:00:01',
    '10:00:02',
    '10:00:03',
    '10:00:04',
    '10:00:05',
    '10:00:06',
    '10:00:07',
    '10:00:08',
    '10:00:09',
    '10:00:10',
  ]);
  assert.deepEqual(labels('2026-11-29T20:30', '2026-11-30T05:00', 5), ['22:00', '30 Nov', '02:00', '04:00']);
  assert.deepEqual(labels('2026-11-01T12:00', '2026-11-30T12:00', 5), ['2 Nov', '9 Nov', '16 Nov', '23 Nov', '30 Nov']);
  assert.deepEqual(labels('2026-01-15T12:00', '2027-01-15T12:00', 5), ['Apr 2026', 'Jul 2026', 'Oct 2026', 'Jan 2027']);
});

test('days of 23 and 25 hours keep midnight and noon where they are', () => {
  assert.deepEqual(labels('2026-03-28T20:00', '2026-03-30T13:00', 5), ['29 Mar', '12:00', '30 Mar', '12:00']);
  assert.equal(labels('2026-10-24T23:00', '2026-10-26T01:00', 3).filter((label) => /Oct/.test(label)).length, 2);
});

test('ticks ascend within the window and are never too many', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 2e12 }),
      fc.integer({ min: 10_000, max: 4e11 }),
      fc.integer({ min: 2, max: 15 }),
      (from, width, count) => {
        const ticks = ticksOf({ from, to: from + width }, count);
        // Midnights are ticks of their own, even where a day does not divide evenly.
        assert(ticks.length <= 2 * count + 2, `${ticks.length} of ${count}`);
        for (const [index, tick] of ticks.entries()) {
          assert(tick.at >= from && tick.at <= from + width);
          assert(tick.at > (ticks[index - 1]?.at ?? -1));
        }
      },
    ),
    { numRuns: 60 },
  );
});
