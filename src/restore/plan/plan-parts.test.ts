import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DrillEvidence } from '../../catalog/evidence/drill-evidence.ts';
import { restoreCommandLine } from './command-line.ts';
import { commitTime } from './commit-time.ts';
import { expectedDuration } from './expected-duration.ts';
import { MissingRuns } from './missing-runs.ts';

const mib = 1024 * 1024;
const work = { plainBytes: 1000 * mib, segments: 100, segmentBytes: 16 * mib };

function drill(seconds: { readonly all: number; readonly recovery: number }, more: Partial<DrillEvidence> = {}): DrillEvidence {
  return {
    format: 1,
    basebackup: 'b',
    timeline: 1,
    target: { kind: 'latest', value: null },
    replayed_to: null,
    begun_at: '2026-11-22T10:00:00.000Z',
    duration_seconds: seconds.all,
    result: 'passed',
    because: null,
    checks: [{ name: 'recovery', result: 'passed', because: null, seconds: seconds.recovery }],
    restored_bytes: 1000 * mib,
    replayed_segments: 10,
    ...more,
  };
}

test('a restore takes as long as drills have taken, from the fastest to the slowest of them', () => {
  const drills = [drill({ all: 11, recovery: 1 }), drill({ all: 42, recovery: 2 })];
  const found = expectedDuration(work, { drills, basebackups: [] });
  assert.equal(found.measured_by, 'drills');
  assert.deepEqual(found.restore_seconds, { from: Math.round(1 + 10 / 1.5), to: 10 + 40 * 1.5 });
  assert.deepEqual(found.recovery_seconds, { from: Math.round(1 + 10 / 1.5), to: 10 + 20 * 1.5 });
});

test('a drill that failed measures nothing; where there is no other that is said, and what is assumed', () => {
  const found = expectedDuration(work, { drills: [drill({ all: 1, recovery: 1 }, { result: 'failed' })], basebackups: [] });
  assert.equal(found.measured_by, 'nothing');
  assert.match(found.because, /nothing has measured it: restored at 20 to 200 MiB\/s; no drill .* 16 to 160 MiB\/s are assumed/);
  assert.deepEqual(found.restore_seconds, { from: 6, to: 60 });
  assert.equal(expectedDuration({ ...work, plainBytes: undefined }, { drills: [], basebackups: [] }).total_seconds, null);
});

test('what is missing is told in runs, and no more than a few of them', () => {
  const missing = new MissingRuns(16 * mib);
  for (const last of ['000000FE', '000000FF']) missing.addSegment(`0000000100000000${last}`);
  missing.addSegment('000000010000000100000000');
  assert.deepEqual(missing.runs, [{ kind: 'wal', first: '0000000100000000000000FE', last: '000000010000000100000000', objects: 3 }]);
  for (let number = 0; number < 30; number++) missing.add('basebackup', `key ${number}`);
  assert.deepEqual([missing.runs.length, missing.more], [20, 11]);
});

test('the command line has what is asked for, and a word for what nobody has named', () => {
  const recovery = { targetAction: 'pause', timeline: '3', toPrimary: true, prefetch: 'off' } as const;
  const place = { dataDirectory: undefined, overwrite: false, reuse: true, tablespaces: { directories: new Map([['a b', '/ts']]) } };
  const target = { kind: 'time', time: { epochMs: Date.UTC(2026, 10, 22, 12), microseconds: 250 }, isExclusive: true } as const;
  const line = restoreCommandLine({ configFile: undefined, site: 's', basebackup: 'b', ...place, recovery: { ...recovery, target } });
  assert.equal(
    line,
    "pghoard_restore get-basebackup --site s --basebackup b --target-dir DIRECTORY --reuse --tablespace-dir 'a b=/ts' --restore-to-primary " +
      "--recovery-target-time '2026-11-22 12:00:00.000250+00:00' --recovery-target-exclusive --recovery-target-timeline 3 " +
      '--recovery-target-action pause --recovery-prefetch off',
  );
});

test('the time of a commit keeps its microseconds', () => {
  assert.equal(commitTime(Date.UTC(2026, 10, 22, 12) * 1000 + 7), '2026-11-22T12:00:00.000007Z');
});
