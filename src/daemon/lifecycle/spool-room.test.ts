import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type RoomVerdict, reserveOf, roomVerdict } from './spool-room.ts';

const gib = 1024 ** 3;

const cases: [what: string, freeBytes: number, sizeBytes: number, setting: number | null, verdict: RoomVerdict][] = [
  ['a large disk with room', 2 * gib, 100 * gib, null, 'ample'],
  ['as much as WAL is left, and half of that', 1.5 * gib, 100 * gib, null, 'ample'],
  ['a little less', 1.5 * gib - 1, 100 * gib, null, 'scarce'],
  ['just what is left to WAL', gib, 100 * gib, null, 'scarce'],
  ['less than that', gib - 1, 100 * gib, null, 'exhausted'],
  ['a small disk: a twentieth', 50, 1000, null, 'scarce'],
  ['a small disk, nearly full', 49, 1000, null, 'exhausted'],
  ['an own setting', 499, 1000, 500, 'exhausted'],
  ['nothing is left to WAL on purpose', 0, 1000, 0, 'ample'],
  ['a file system that does not tell its size', 0, 0, null, 'ample'],
];

for (const [what, freeBytes, sizeBytes, setting, verdict] of cases) {
  test(`room for base backups: ${what}`, () => assert.equal(roomVerdict({ freeBytes, sizeBytes }, setting), verdict));
}

test('a huge disk leaves no more than 1 GiB', () => assert.equal(reserveOf({ freeBytes: 0, sizeBytes: 1e15 }, null), gib));
