import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isOperatorError } from '../lib/errors.ts';
import { parseLsn } from './lsn.ts';
import {
  classifyWalFile,
  defaultSegmentBytes,
  formatWalName,
  isSegmentBytes,
  nextWalName,
  parseWalName,
  startLsnOf,
  walNameOf,
} from './wal-name.ts';

const MiB = 1024 * 1024;

/** Name, segment size, timeline, number, start position; verified against pg_walfile_name. */
const segments: readonly (readonly [name: string, segmentBytes: number, timeline: number, number: bigint, start: string])[] = [
  ['000000010000000000000000', 16 * MiB, 1, 0n, '0/0'],
  ['000000010000000000000001', 16 * MiB, 1, 1n, '0/1000000'],
  ['00000001000000000000000B', 16 * MiB, 1, 11n, '0/B000000'],
  ['0000000100000000000000FF', 16 * MiB, 1, 255n, '0/FF000000'],
  ['000000010000000100000000', 16 * MiB, 1, 256n, '1/0'],
  ['000000040000000F00000019', 16 * MiB, 4, 0xf19n, 'F/19000000'],
  ['0000002F000000110000009C', 16 * MiB, 47, 0x119cn, '11/9C000000'],
  ['FFFFFFFFFFFFFFFF000000FF', 16 * MiB, 0xffff_ffff, 0xff_ffff_ffffn, 'FFFFFFFF/FF000000'],
  ['000000010000000000000FFF', MiB, 1, 0xfffn, '0/FFF00000'],
  ['000000010000000100000000', MiB, 1, 0x1000n, '1/0'],
  ['00000001FFFFFFFF00000FFF', MiB, 1, 0xfff_ffff_ffffn, 'FFFFFFFF/FFF00000'],
  ['00000001000000000000003F', 64 * MiB, 1, 63n, '0/FC000000'],
  ['000000010000000100000000', 64 * MiB, 1, 64n, '1/0'],
  ['000000010000000000000003', 1024 * MiB, 1, 3n, '0/C0000000'],
  ['000000010000000A00000002', 1024 * MiB, 1, 42n, 'A/80000000'],
];

for (const [name, segmentBytes, timeline, number, start] of segments) {
  test(`${name} with segments of ${segmentBytes / MiB} MiB`, () => {
    assert.deepEqual(parseWalName(name, segmentBytes), { timeline, number });
    assert.equal(formatWalName({ timeline, number }, segmentBytes), name);
    const lsn = parseLsn(start);
    assert.equal(startLsnOf(name, segmentBytes), lsn);
    for (const inside of [lsn, lsn + 1n, lsn + BigInt(segmentBytes) - 1n]) assert.equal(walNameOf(inside, timeline, segmentBytes), name);
  });
}

const successors: readonly (readonly [name: string, next: string, segmentBytes: number])[] = [
  ['000000010000000000000000', '000000010000000000000001', 16 * MiB],
  ['0000000100000000000000FF', '000000010000000100000000', 16 * MiB],
  ['00000003000000FF000000FF', '000000030000010000000000', 16 * MiB],
  ['0000000A0000000A000000FF', '0000000A0000000B00000000', 16 * MiB],
  ['0000000100000000000000FF', '000000010000000000000100', MiB],
  ['000000010000000000000FFF', '000000010000000100000000', MiB],
  ['00000001000000000000003F', '000000010000000100000000', 64 * MiB],
  ['000000010000000000000003', '000000010000000100000000', 1024 * MiB],
];

for (const [name, next, segmentBytes] of successors) {
  test(`${next} follows ${name} with segments of ${segmentBytes / MiB} MiB`, () => {
    assert.equal(nextWalName(name, segmentBytes), next);
  });
}

test('the last has no successor', () => {
  assert.throws(
    () => nextWalName('00000001FFFFFFFF000000FF', defaultSegmentBytes),
    (error) => isOperatorError(error, 'wal-name-invalid'),
  );
});

const invalid: readonly (readonly [name: string, segmentBytes: number])[] = [
  ['', 16 * MiB],
  ['00000001000000000000000', 16 * MiB],
  ['0000000100000000000000000', 16 * MiB],
  ['00000001000000000000000b', 16 * MiB],
  ['00000001000000000000000G', 16 * MiB],
  ['000000010000000000000001\n', 16 * MiB],
  ['../../010000000000000001', 16 * MiB],
  ['000000010000000000000100', 16 * MiB],
  ['000000010000000000001000', MiB],
  ['000000010000000000000040', 64 * MiB],
  ['000000010000000000000004', 1024 * MiB],
];

for (const [name, segmentBytes] of invalid) {
  test(`no segment of ${segmentBytes / MiB} MiB: ${JSON.stringify(name)}`, () => {
    assert.throws(
      () => parseWalName(name, segmentBytes),
      (error) => isOperatorError(error, 'wal-name-invalid'),
    );
  });
}

test('segment sizes', () => {
  for (const bytes of [1, 2, 4, 8, 16, 64, 1024]) assert(isSegmentBytes(bytes * MiB));
  for (const bytes of [0, 1, MiB / 2, 3 * MiB, 2048 * MiB, 16 * MiB + 1, -MiB, Number.NaN]) assert(!isSegmentBytes(bytes), String(bytes));
});

const kinds = [
  ['000000010000000000000001', 'segment'],
  ['0000000A0000000B000000FF', 'segment'],
  ['000000010000000000000001.partial', 'partial'],
  ['00000002.history', 'history'],
  ['FFFFFFFF.history', 'history'],
  ['000000010000000000000002.00000028.backup', 'backup-label'],
  ['000000010000000000000001.gz', undefined],
  ['00000001000000000000000a', undefined],
  ['0000000a.history', undefined],
  ['000000002.history', undefined],
  ['000000010000000000000002.0000028.backup', undefined],
  ['000000010000000000000001.partial_incomplete', undefined],
  ['000000010000000000000001\n', undefined],
  ['00000002.history\n', undefined],
  ['../00000002.history', undefined],
  ['archive_status', undefined],
  ['xlogtemp.123', undefined],
  ['', undefined],
] as const;

for (const [name, kind] of kinds) {
  test(`${JSON.stringify(name)} is ${kind ?? 'nothing we know'}`, () => assert.equal(classifyWalFile(name), kind));
}
