import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { packageRoot } from '../../test/support/package-root.ts';
import { documentFile, renderDocument } from './document.ts';
import type { Sample } from './sample.ts';
import { summarize } from './summary.ts';

test('docs/performance.md tells what the figures say; otherwise run: node dist/bench/results/document.js', async () => {
  assert.equal(await readFile(join(packageRoot, documentFile), 'utf8'), await renderDocument(packageRoot));
});

test('ratios are those of the same round, ours to theirs, and medians are per unit', () => {
  const common = { what: 'archive a backlog', flavour: 'plain', cache: 'warm', units: 2, peakBytes: 1 } as const;
  const samples: Sample[] = [
    { ...common, tool: 'theirs', round: 0, seconds: 8, cpuSeconds: 4 },
    { ...common, tool: 'pghoard', round: 0, seconds: 4, cpuSeconds: 1 },
    { ...common, tool: 'theirs', round: 1, seconds: 20, cpuSeconds: 4 },
    { ...common, tool: 'pghoard', round: 1, seconds: 5, cpuSeconds: 3 },
  ];
  const [ours, theirs] = summarize(samples);
  assert.equal(ours?.tool, 'pghoard');
  assert.equal(ours?.ratios, undefined);
  assert.equal(ours?.seconds, 2.25);
  assert.deepEqual(theirs?.ratios?.seconds, { median: 0.375, min: 0.25, max: 0.5 });
  assert.deepEqual(theirs?.ratios?.cpuSeconds, { median: 0.5, min: 0.25, max: 0.75 });
});
