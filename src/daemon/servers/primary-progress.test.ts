import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PrimaryProgress } from './primary-progress.ts';
import type { Replay, ServerSample } from './server-sample.ts';
import type { UsableNode } from './troubles.ts';

function at(lsn: number, { timeline = 1, replay }: { timeline?: number; replay?: Replay } = {}): UsableNode {
  const sample: ServerSample = {
    role: replay ? 'standby' : 'primary',
    pgVersion: 150_018,
    systemIdentifier: 7n,
    segmentBytes: 1 << 24,
    timeline,
    lsn: BigInt(lsn),
    ...(replay && { replay }),
    sampledAt: new Date(0),
  };
  return { index: 0, label: '', sample, obstacle: undefined };
}

const replayed = (lsn: number, receivedLsn = lsn, lastCommitSeconds = 7200) =>
  at(lsn, { replay: { receivedLsn: BigInt(receivedLsn), isPaused: false, lastCommitSeconds } });

test('on an idle cluster nobody is behind, however old the last commit is', () => {
  const progress = new PrimaryProgress();
  progress.note(at(100), 0);
  progress.note(at(100), 60_000);
  assert.equal(progress.lagSeconds(replayed(100), 60_000), 0);
  // What was written a moment ago is a moment old.
  progress.note(at(101), 63_000);
  assert.equal(progress.lagSeconds(replayed(100), 64_000), 4);
});

test('a standby is as far behind as the time since the primary was where it is', () => {
  const progress = new PrimaryProgress();
  for (let second = 0; second <= 100; second++) progress.note(at(1000 + second), second * 1000);
  assert.equal(progress.lagSeconds(replayed(1090), 100_000), 10);
  assert.equal(progress.lagSeconds(replayed(1100), 100_000), 0);
});

test('one that was behind before anybody looked is as far behind as its last commit is old', () => {
  const progress = new PrimaryProgress();
  progress.note(at(1000), 0);
  assert.equal(progress.lagSeconds(replayed(5), 1_000), 7200);
});

test('without a primary what was received tells whether there is something to replay', () => {
  const progress = new PrimaryProgress();
  assert.equal(progress.lagSeconds(replayed(5), 1_000), 0);
  assert.equal(progress.lagSeconds(replayed(5, 6), 1_000), 7200);
});

test('another timeline begins anew, and days of it take no more room', () => {
  const progress = new PrimaryProgress();
  progress.note(at(9_000_000), 0);
  for (let n = 0; n < 5_000; n++) progress.note(at(1000 + n, { timeline: 2 }), n * 3000);
  const lag = progress.lagSeconds(replayed(1000 + 4_000), 5_000 * 3000);
  assert.ok(lag >= 3_000 && lag < 3_500, `${lag}`);
});
