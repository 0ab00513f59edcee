import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseLsn } from './lsn.ts';
import { TimelineLine, type WalPlace } from './timeline-line.ts';

const mebibyte = 1024 * 1024;
const left = (timeline: number, switchLsn: string) => ({ timeline, switchLsn: parseLsn(switchLsn), reason: '' });

/** Timeline 3 at 0/A80000, which left 1 in segment 4 and 2 exactly between segments 7 and 8. Segments of 1 MiB. */
const place: WalPlace = {
  timeline: 3,
  position: parseLsn('0/A80000'),
  history: [left(1, '0/480000'), left(2, '0/800000')],
  segmentBytes: mebibyte,
};

test('each segment has the name of the newest timeline that has it', () => {
  const line = new TimelineLine(place);
  const names = Array.from({ length: 12 }, (_, number) => line.nameAt(BigInt(number)));
  assert.deepEqual(
    names.map((name) => name && `${Number(name.slice(0, 8))}:${Number.parseInt(name.slice(16), 16)}`),
    ['1:0', '1:1', '1:2', '1:3', '2:4', '2:5', '2:6', '2:7', '3:8', '3:9', '3:10', undefined],
  );
  assert.equal(line.nameAt(-1n), undefined, 'there is nothing below segment 0');
  assert.deepEqual(line.current, { timeline: 3, number: 10n });
});

test('what is on the line, and what another history left behind', () => {
  const line = new TimelineLine(place);
  const cases: readonly [name: string, includes: boolean, touches: boolean][] = [
    ['000000010000000000000003', true, true],
    ['000000010000000000000004', false, true],
    ['000000010000000000000005', false, false],
    ['000000020000000000000003', false, false],
    ['000000020000000000000004', true, true],
    ['000000020000000000000008', false, true],
    ['000000030000000000000008', true, true],
    ['00000003000000000000000A', true, true],
    ['00000003000000000000000B', false, false],
    ['000000040000000000000009', false, false],
  ];
  for (const [name, includes, touches] of cases) {
    const segment = line.parse(name);
    assert.ok(segment);
    assert.deepEqual([line.includes(name), line.touches(segment)], [includes, touches], name);
  }
});

test('a server that was never promoted, across a boundary of 4 GiB', () => {
  const line = new TimelineLine({ timeline: 1, position: parseLsn('1/100'), history: [], segmentBytes: 16 * mebibyte });
  assert.equal(line.nameAt(256n), '000000010000000100000000');
  assert.equal(line.nameAt(255n), '0000000100000000000000FF');
});

test('names that are no segments of this size are none', () => {
  const line = new TimelineLine({ ...place, segmentBytes: 16 * mebibyte });
  for (const name of ['0000000100000000FFFFFFFF', '00000002.history', 'archive_status', '', '000000010000000000000003.partial']) {
    assert.equal(line.parse(name), undefined, name);
    assert.equal(line.includes(name), false, name);
  }
});
