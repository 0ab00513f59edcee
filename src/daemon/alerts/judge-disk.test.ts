import assert from 'node:assert/strict';
import { test } from 'node:test';
import { whyNearlyFull } from './judge-disk.ts';

const gib = 1024 ** 3;
const limits = { disk_free_percent: 10, disk_full_hours: 6 };
const minute = 60_000;

/** Free space minute by minute. */
function disk(freeGib: readonly number[], everyMs = minute) {
  return { what: 'the disk', sizeBytes: 100 * gib, samples: freeGib.map((free, at) => ({ atMs: at * everyMs, freeBytes: free * gib })) };
}

const falling = (from: number, by: number, count: number) => Array.from({ length: count }, (_, at) => from - by * at);

const cases: readonly (readonly [what: string, disk: ReturnType<typeof disk>, because: RegExp | null])[] = [
  ['nothing is known', disk([]), null],
  ['half of it is free', disk([50]), null],
  ['a tenth is free', disk([10]), null],
  ['less is free', disk([50, 9.9]), /^the disk has 10138 MiB free, 9.9 %$/],
  ['it is full', disk([0]), /0 MiB free, 0.0 %/],
  ['it fills within hours', disk(falling(50, 0.2, 21)), /46.0 %; if it goes on as in the last 20 minutes it is full in 4 hours/],
  ['it fills within days', disk(falling(50, 0.01, 21)), null],
  ['a base backup is being written, for some minutes', disk(falling(90, 5, 9)), null],
  ['it gets emptier', disk(falling(50, -1, 21)), null],
];

for (const [what, given, because] of cases)
  test(`a disk: ${what}`, () => {
    const why = whyNearlyFull(given, limits);
    if (because === null) assert.equal(why, null);
    else assert.match(why ?? '', because);
  });
