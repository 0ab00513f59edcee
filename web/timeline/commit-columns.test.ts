import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CommitsDocument } from '../../src/daemon/http/api.ts';
import { commitColumns } from './commit-columns.ts';

const from = Date.parse('2026-11-30T12:00:00Z');
const minute = 60_000;

function documentOf(bucketSeconds: number, ...commits: readonly number[][]): CommitsDocument {
  const buckets = commits[0]?.length ?? 0;
  return {
    site: 'main',
    at: new Date(from).toISOString(),
    from: new Date(from).toISOString(),
    to: new Date(from + buckets * bucketSeconds * 1000).toISOString(),
    bucket_seconds: bucketSeconds,
    timelines: commits.map((each, index) => ({ timeline: index + 1, commits: each, aborts: each.map(() => 0) })),
    restore_points: [],
    is_complete: true,
    because: null,
  };
}

test('timelines are counted together, and what has no commits has no column', () => {
  const found = commitColumns(documentOf(60, [6, 0, 0, 12], [0, 0, 3, 12]), { from, to: from + 4 * minute }, 400);
  assert.deepEqual(found, {
    columns: [
      { x0: 0, x1: 100, perMinute: 6 },
      { x0: 200, x1: 300, perMinute: 3 },
      { x0: 300, x1: 400, perMinute: 24 },
    ],
    peakPerMinute: 24,
    commits: 33,
  });
});

test('rates are per minute, however wide a bucket is, and what lies outside is cut or left out', () => {
  const found = commitColumns(documentOf(300, [50, 100, 10]), { from: from + 150_000, to: from + 450_000 }, 300);
  assert.deepEqual(found.columns, [
    { x0: 0, x1: 150, perMinute: 10 },
    { x0: 150, x1: 300, perMinute: 20 },
  ]);
  assert.deepEqual([found.peakPerMinute, found.commits], [20, 150]);
});

test('without commits there is nothing to draw', () => {
  assert.deepEqual(commitColumns(documentOf(60), { from, to: from + minute }, 100), { columns: [], peakPerMinute: 0, commits: 0 });
});
