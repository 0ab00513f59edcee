import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type DrillSample, drillTable } from './drill-table.ts';
import { transactionsPerSecond } from './pgbench-load.ts';

test('what is lost is told for each drill beside its own minutes alone, with the spread', () => {
  const common = { mode: 'stepping back', drillSeconds: 10, restoredBytes: 2 ** 30, replayedSegments: 8 } as const;
  const samples: DrillSample[] = [
    { ...common, round: 0, alonePerSecond: 1000, duringPerSecond: 900 },
    { ...common, round: 1, alonePerSecond: 500, duringPerSecond: 490 },
    { ...common, round: 2, alonePerSecond: 2000, duringPerSecond: 1900 },
  ];
  assert.deepEqual(drillTable(samples).lines, [['stepping back', '3', '1000', '900', '5.0 % (2.0–10.0)', '10.00 s', '1024 MiB', '8']]);
});

test('what pgbench gets done is read from its progress', () => {
  assert.equal(transactionsPerSecond('progress: 3.0 s, 1530.9 tps, lat 2.603 ms stddev 1.411, 0 failed'), 1530.9);
  assert.equal(transactionsPerSecond('pgbench (15.14)'), undefined);
});
