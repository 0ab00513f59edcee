import assert from 'node:assert/strict';
import { test } from 'node:test';
import { basebackupName, chunkTargetBytes, chunkThreads, isBasebackupName } from './plan.ts';

const MiB = 1024 ** 2;
const GiB = 1024 ** 3;

test('a backup is named after the UTC minute, and numbered', () => {
  assert.equal(basebackupName(new Date('2026-11-23T01:57:59.999Z'), 0), '2026-11-23_01-57_0');
  assert.equal(basebackupName(new Date('2026-01-02T23:00:00+03:00'), 12), '2026-01-02_20-00_12');
});

test('names of all versions are known again, other directories are not taken for backups', () => {
  for (const name of ['2016-04-12_0', '2021-07-30_13-56_0', '2026-11-23_01-57_12']) assert.equal(isBasebackupName(name), true, name);
  for (const name of ['lost+found', '2016-04-12', '2016-04-12_0.tar', '../2016-04-12_0', ''])
    assert.equal(isBasebackupName(name), false, name);
});

const targets = [
  { what: 'a large database fills chunks of the configured size', chunkBytesMax: 2 * GiB, bytesTotal: 1000 * GiB, threads: 2, is: 2 * GiB },
  { what: 'a smaller one is shared evenly by all workers', chunkBytesMax: 2 * GiB, bytesTotal: 800 * MiB, threads: 2, is: 100 * MiB },
  { what: 'a tiny one does not get tiny chunks', chunkBytesMax: 2 * GiB, bytesTotal: 8 * MiB, threads: 8, is: 16 * MiB },
  { what: 'the configured size is never exceeded', chunkBytesMax: 5 * MiB, bytesTotal: 8 * MiB, threads: 8, is: 5 * MiB },
  { what: 'where the size is unknown chunks are middling', chunkBytesMax: 2 * GiB, bytesTotal: undefined, threads: 8, is: 256 * MiB },
];
for (const { what, is, ...plan } of targets) test(`chunk size: ${what}`, () => assert.equal(chunkTargetBytes(plan), is));

test('no more chunks are made at once than may exist, and never none', () => {
  assert.equal(chunkThreads({ threads: undefined, poolThreads: 4, chunksInProgress: 5 }), 4);
  assert.equal(chunkThreads({ threads: 2, poolThreads: 4, chunksInProgress: 5 }), 2);
  assert.equal(chunkThreads({ threads: 8, poolThreads: 4, chunksInProgress: 3 }), 3);
  assert.equal(chunkThreads({ threads: 1, poolThreads: 1, chunksInProgress: 1 }), 1);
});
