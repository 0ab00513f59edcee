import assert from 'node:assert/strict';
import { test } from 'node:test';
import { depthRange, nextDepth, segmentsFitting } from './prefetch-depth.ts';
import { PrefetchPace } from './prefetch-pace.ts';

const range = { start: 5, max: 64 };

for (const [what, depth, asked, expected] of [
  ['nothing measured, it was there', 5, { wasThere: true, replayMs: undefined, fetchMs: undefined }, 5],
  ['nothing measured, it had to be waited for', 5, { wasThere: false, replayMs: undefined, fetchMs: undefined }, 6],
  ['enough are under way', 5, { wasThere: true, replayMs: 100, fetchMs: 150 }, 5],
  ['enough, but one came late', 5, { wasThere: false, replayMs: 100, fetchMs: 150 }, 6],
  ['a long way to the store: at once as many as it takes', 5, { wasThere: true, replayMs: 20, fetchMs: 400 }, 22],
  ['and more if that is not enough', 22, { wasThere: false, replayMs: 20, fetchMs: 400 }, 23],
  ['back in small steps', 22, { wasThere: true, replayMs: 100, fetchMs: 150 }, 22 - 1 / 16],
  ['a step back is undone by one that came late', 22 - 1 / 16, { wasThere: false, replayMs: 100, fetchMs: 150 }, 23],
  ['never below the start', 5, { wasThere: true, replayMs: 60_000, fetchMs: 10 }, 5],
  ['never above the maximum', 60, { wasThere: false, replayMs: 0, fetchMs: 5_000 }, 64],
] as const) {
  test(`depth: ${what}`, () => assert.equal(nextDepth(depth, asked, range), expected));
}

for (const [setting, transfers, expected] of [
  [null, 5, { start: 5, max: 64 }],
  [20, 5, { start: 5, max: 20 }],
  [3, 5, { start: 3, max: 3 }],
  [0, 5, { start: 0, max: 0 }],
] as const) {
  test(`restore_prefetch ${setting} with ${transfers} transfers at once`, () => assert.deepEqual(depthRange(setting, transfers), expected));
}

test('restore_prefetch 0 fetches nothing ahead, however long PostgreSQL waits', () => {
  assert.equal(nextDepth(0, { wasThere: false, replayMs: 1, fetchMs: 1_000 }, depthRange(0, 5)), 0);
});

const [mebibyte, gibibyte] = [1024 ** 2, 1024 ** 3];
for (const [what, segmentBytes, freeBytes, expected] of [
  ['2 GiB at most', 16 * mebibyte, 1000 * gibibyte, 128],
  ['half of what is free', 16 * mebibyte, 320 * mebibyte, 10],
  ['one in any case', 16 * mebibyte, 20 * mebibyte, 1],
  ['two large ones', gibibyte, 1000 * gibibyte, 2],
] as const) {
  test(`room: ${what}`, () => assert.equal(segmentsFitting(segmentBytes, freeBytes), expected));
}

test('the pace of a recovery is measured from one hand-out to the next request', async () => {
  let nowMs = 0;
  const pace = new PrefetchPace(range, { monotonicMs: () => nowMs });
  const fetch = (ms: number, came = true) =>
    pace.timing(async () => {
      nowMs += ms;
      return came ? 'file' : undefined;
    });
  const serve = (wasThere: boolean, replayMs: number) => {
    nowMs += replayMs;
    pace.served(wasThere, nowMs);
    return pace.depth;
  };
  await fetch(200);
  await fetch(9_000, false);
  assert.equal(serve(false, 0), 5, 'the first request says nothing');
  assert.equal(serve(true, 10), 22, 'a fetch takes as long as 20 segments');
  for (let n = 0; n < 400; n++) serve(true, 100);
  assert.equal(pace.depth, 5);
});
