import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../../../test/support/seeded-random.ts';
import { isOperatorError } from '../../lib/errors.ts';
import {
  parseDataRow,
  parseReport,
  parseStreamMessage,
  parseTimelineEnd,
  queryMessage,
  statusMessage,
  terminateMessage,
} from './messages.ts';

const isProtocolError = (error: unknown) => isOperatorError(error, 'postgres-protocol');

/** As PostgreSQL 15.18 sent them; the WAL is the end of a record. */
const keepalive = Buffer.from('6b0000000001500780000303e969efb46d01', 'hex');
const wal = Buffer.from('7700000000015007680000000001500780000303e969ebe250000000000000000000000000000000000000000000000000', 'hex');

test('what a walsender sends', () => {
  assert.deepEqual(parseStreamMessage(keepalive), { kind: 'keepalive', serverEnd: 0x1500780n, replyRequested: true });
  assert.deepEqual(parseStreamMessage(wal), {
    kind: 'wal',
    startLsn: 0x1500768n,
    serverEnd: 0x1500780n,
    bytes: Buffer.alloc(24),
  });
});

test('cut short or of an unknown kind it is refused', () => {
  for (let length = 0; length < keepalive.length; length++)
    assert.throws(() => parseStreamMessage(keepalive.subarray(0, length)), isProtocolError);
  for (let length = 0; length <= 25; length++) assert.throws(() => parseStreamMessage(wal.subarray(0, length)), isProtocolError);
  assert.throws(() => parseStreamMessage(Buffer.concat([keepalive, Buffer.from('x')])), isProtocolError);
  assert.throws(() => parseStreamMessage(Buffer.from('x123')), /type "x"/);
  assert.throws(() => parseStreamMessage(Buffer.alloc(0)), /type none/);
});

const report = Buffer.from('SFEHLER\0VERROR\0C58P01\0MWAL-Segment fehlt\0DDetail\0HHinweis\0Fwalsender.c\0\0');

test('an error report', () => {
  assert.deepEqual(parseReport(report), {
    severity: 'ERROR',
    sqlState: '58P01',
    message: 'WAL-Segment fehlt',
    detail: 'Detail',
    hint: 'Hinweis',
  });
  assert.deepEqual(parseReport(Buffer.from('\0')), { severity: '', sqlState: 'XX000', message: '', detail: undefined, hint: undefined });
  for (let length = 0; length < report.length; length++) assert.throws(() => parseReport(report.subarray(0, length)), isProtocolError);
});

function row(...columns: readonly (string | null)[]): Buffer {
  const parts = columns.map((column) => {
    const length = Buffer.alloc(4);
    length.writeInt32BE(column === null ? -1 : Buffer.byteLength(column));
    return Buffer.concat([length, Buffer.from(column ?? '')]);
  });
  return Buffer.concat([Buffer.from([0, columns.length]), ...parts]);
}

test('a row', () => {
  assert.deepEqual(parseDataRow(row('a', null, '', 'ü')).map(String), ['a', '', '', 'ü']);
  const whole = row('2', '0/3000000');
  assert.deepEqual(parseTimelineEnd(whole), { nextTimeline: 2, switchLsn: 0x3000000n });
  for (let length = 0; length < whole.length; length++) assert.throws(() => parseTimelineEnd(whole.subarray(0, length)), isProtocolError);
});

for (const columns of [
  [],
  ['2'],
  ['x', '0/3000000'],
  ['-2', '0/3000000'],
  ['4294967296', '0/3000000'],
  ['2', ''],
  ['2', '3000000'],
  [null, null],
]) {
  test(`no timeline follows from ${JSON.stringify(columns)}`, () =>
    assert.throws(() => parseTimelineEnd(row(...columns)), isProtocolError));
}

test('noise is refused, whatever it is taken for', () => {
  const random = new SeededRandom();
  for (let round = 0; round < 3000; round++) {
    const noise = Buffer.from(Array.from({ length: random.between(0, 50) }, () => random.between(0, random.between(0, 1) * 254 + 1)));
    for (const parse of [parseStreamMessage, parseReport, parseDataRow, parseTimelineEnd]) {
      try {
        parse(noise);
      } catch (error) {
        assert(isProtocolError(error), `seed ${random.seed}, ${parse.name}: ${noise.toString('hex')}: ${String(error)}`);
      }
    }
  }
});

test('what we send', () => {
  assert.equal(queryMessage('IDENTIFY_SYSTEM').toString('latin1'), 'Q\0\0\0\x14IDENTIFY_SYSTEM\0');
  assert.equal(terminateMessage.toString('latin1'), 'X\0\0\0\x04');
  const status = { written: 0x1_0000_0003n, flushed: 2n, applied: 1n };
  const message = statusMessage(status, new Date('2000-01-01T00:00:01.500Z'), true);
  const micros = 1_500_000n.toString(16).padStart(16, '0');
  assert.equal(message.toString('hex'), `640000002672000000010000000300000000000000020000000000000001${micros}01`);
  assert.equal(statusMessage(status, new Date(0), false).readBigInt64BE(30), -946_684_800_000_000n);
});
