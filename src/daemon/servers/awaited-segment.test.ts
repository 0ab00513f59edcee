import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatWalName } from '../../postgres/wal-name.ts';
import { awaitedSegment } from './awaited-segment.ts';
import type { UsableNode } from './troubles.ts';

const segmentBytes = 16 * 1024 * 1024;
const segment = (number: number, timeline = 1) => formatWalName({ timeline, number: BigInt(number) }, segmentBytes);
const entry = (end: number, timeline = 1, mode = 'archive_command') => ({
  name: `b${end}`,
  endWalSegment: segment(end, timeline),
  metadata: { 'active-backup-mode': mode },
});

/** In the segment, so many bytes behind its beginning. */
function node(role: 'primary' | 'standby', number: number, { bytes = 100, timeline = 1, inserted = true } = {}): UsableNode {
  const lsn = BigInt(number) * BigInt(segmentBytes) + BigInt(bytes);
  const writes = role === 'primary' && inserted ? { writes: { insertedLsn: lsn, nextXid: undefined } } : {};
  const sample = { role, lsn: inserted ? 0n : lsn, timeline, segmentBytes, ...writes } as UsableNode['sample'];
  return { index: 0, label: 'db', obstacle: undefined, sample };
}
const standbyAt = (number: number, bytes = 100) => node('standby', number, { bytes, inserted: false });
const awaitedOf = (...given: Parameters<typeof awaitedSegment>) => awaitedSegment(...given)?.basebackup;

test('a base backup waits for the segment that the primary is writing', () => {
  const entries = [entry(3), entry(5)];
  assert.deepEqual(awaitedSegment(entries, node('primary', 5), []), { basebackup: 'b5', segment: segment(5), primary: node('primary', 5) });
  assert.equal(awaitedOf(entries, node('primary', 5, { inserted: false }), []), 'b5', 'a role that may only replicate tells it otherwise');
});

test('what the primary has finished is not waited for', () => {
  for (const [number, bytes] of [
    [6, 0],
    [6, 40],
    [9, 1],
  ] as const)
    assert.equal(awaitedOf([entry(5)], node('primary', number, { bytes }), []), undefined);
});

test('after a promotion the same place on the new timeline does, but not what was lost behind it', () => {
  assert.equal(awaitedOf([entry(5)], node('primary', 5, { timeline: 2 }), []), 'b5');
  assert.equal(awaitedOf([entry(5)], node('primary', 4, { timeline: 2 }), []), undefined);
  assert.equal(awaitedOf([entry(5, 2)], node('primary', 5), []), undefined, 'the old primary');
});

test('without a primary the most advanced server tells', () => {
  assert.deepEqual(awaitedSegment([entry(5)], undefined, [standbyAt(4), standbyAt(5)])?.primary, undefined);
  assert.equal(awaitedOf([entry(5)], undefined, [standbyAt(4), standbyAt(5)]), 'b5');
  assert.equal(awaitedOf([entry(5)], undefined, [standbyAt(6, 0), standbyAt(4)]), undefined);
  assert.equal(awaitedOf([entry(5)], undefined, []), undefined);
});

test('what carries its WAL, or has it kept elsewhere, or does not tell its end, waits for nothing', () => {
  for (const mode of ['standalone_hot_backup', 'basic']) assert.equal(awaitedOf([entry(5, 1, mode)], node('primary', 5), []), undefined);
  assert.equal(awaitedOf([{ name: 'b', metadata: {} }], node('primary', 5), []), undefined);
});
