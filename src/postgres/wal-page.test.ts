import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explain, isOperatorError } from '../lib/errors.ts';
import { formatLsn } from './lsn.ts';
import { checkWalSegment, type ExpectedWal, parseWalPageHeader, walHeaderBytes } from './wal-page.ts';

const MiB = 1024 * 1024;

/** First 40 bytes of real segments of 2 MiB, as each version's initdb left them. */
const realHeaders: Readonly<Record<string, readonly [name: string, hex: string]>> = {
  '12': ['000000010000000000000005', '01d10700010000000000a00000000000490e000000000000ce7df74d3ba1036b0000200000200000'],
  '13': ['000000010000000000000005', '06d10700010000000000a00000000000fc02000000000000fe9da84b3ca1036b0000200000200000'],
  '14': ['000000010000000000000005', '0dd10700010000000000a000000000009107000000000000124e91ef3ca1036b0000200000200000'],
  '15': ['000000010000000000000004', '10d107000100000000008000000000008c110000000000001fdea13e3ea1036b0000200000200000'],
  '16': ['000000010000000000000004', '13d10700010000000000800000000000410a0000000000002ceeac693fa1036b0000200000200000'],
  '17': ['000000010000000000000004', '16d10700010000000000800000000000d91100000000000039ee158a40a1036b0000200000200000'],
  '18': ['000000010000000000000004', '18d1070001000000000080000000000099030000000000004e5ec1c141a1036b0000200000200000'],
};

for (const [major, [name, hex]] of Object.entries(realHeaders)) {
  test(`a real segment of PostgreSQL ${major}`, () => {
    const header = checkWalSegment(name, Buffer.from(hex, 'hex'), { segmentBytes: 2 * MiB, fileBytes: 2 * MiB });
    assert.equal(header.major, major);
    assert.equal(header.timeline, 1);
    assert.equal(header.long?.pageBytes, 8192);
    assert.equal(header.long.systemIdentifier >> 48n, 0x6b03n, 'the high bits are the time of initdb');
  });
}

const magics = Object.entries({
  d071: '9.2',
  d075: '9.3',
  d07e: '9.4',
  d087: '9.5',
  d093: '9.6',
  d097: '10',
  d098: '11',
  d101: '12',
  d106: '13',
  d10d: '14',
  d110: '15',
  d113: '16',
  d116: '17',
  d118: '18',
});

for (const [magic, major] of magics) {
  test(`magic ${magic} is PostgreSQL ${major}`, () => {
    const bytes = Buffer.alloc(20);
    bytes.writeUInt16LE(Number.parseInt(magic, 16));
    assert.equal(parseWalPageHeader(bytes).major, major);
  });
}

const pages: readonly (readonly [hex: string, major: string, timeline: number, address: string])[] = [
  ['87d006002f0000000000009c1100000000000000', '9.5', 47, '11/9C000000'],
  ['87d00200010000000000000b0000000000000000', '9.5', 1, '0/B000000'],
  ['71d00000010000000000000000000001000000000000000000000000', '9.2', 1, '0/1000000'],
];

for (const [hex, major, timeline, address] of pages) {
  test(`header ${hex.slice(0, 24)}…`, () => {
    const header = parseWalPageHeader(Buffer.from(hex, 'hex'));
    assert.deepEqual([header.major, header.timeline, formatLsn(header.pageAddress)], [major, timeline, address]);
    assert.equal(header.long, undefined);
  });
}

interface Forged {
  readonly magic?: number;
  readonly info?: number;
  readonly timeline?: number;
  readonly address?: bigint;
  readonly systemIdentifier?: bigint;
  readonly segmentBytes?: number;
}

const name = '00000002000000000000000B';
const systemIdentifier = 7_711_184_263_071_628_750n;

function forged(fields: Forged = {}): Buffer {
  const bytes = Buffer.alloc(walHeaderBytes);
  bytes.writeUInt16LE(fields.magic ?? 0xd110, 0);
  bytes.writeUInt16LE(fields.info ?? 2, 2);
  bytes.writeUInt32LE(fields.timeline ?? 2, 4);
  bytes.writeBigUInt64LE(fields.address ?? 0xb00_0000n, 8);
  bytes.writeBigUInt64LE(fields.systemIdentifier ?? systemIdentifier, 24);
  bytes.writeUInt32LE(fields.segmentBytes ?? 16 * MiB, 32);
  bytes.writeUInt32LE(8192, 36);
  return bytes;
}

test('what is not expected is not asked', () => {
  assert.equal(checkWalSegment(name, forged()).long?.systemIdentifier, systemIdentifier);
  checkWalSegment(name, forged(), { systemIdentifier, segmentBytes: 16 * MiB, fileBytes: 16 * MiB });
  checkWalSegment(`${name}.partial`, forged());
});

test('a new timeline begins with a copy of the old one', () => {
  assert.equal(checkWalSegment(name, forged({ timeline: 1 })).timeline, 1);
});

test('position and size are judged by the segment size of the cluster', () => {
  const small = forged({ segmentBytes: MiB, address: 0xb0_0000n });
  assert.equal(checkWalSegment(name, small, { fileBytes: MiB }).long?.segmentBytes, MiB);
  const large = forged({ segmentBytes: 1024 * MiB, address: 0xc000_0000n });
  assert.equal(checkWalSegment('000000020000000000000003', large, { fileBytes: 1024 * MiB }).pageAddress, 0xc000_0000n);
});

test('the long header of 9.2 stands closer', () => {
  const fields = ['71d0', '0200', '02000000', '00000000', '0000000b', '0807060504030201', '00000001', '00200000'];
  const bytes = Buffer.concat([Buffer.from(fields.join(''), 'hex')], walHeaderBytes);
  const header = checkWalSegment(name, bytes);
  assert.deepEqual(header.long, { systemIdentifier: 0x0102030405060708n, segmentBytes: 16 * MiB, pageBytes: 8192 });
});

const invalid: readonly (readonly [what: string, bytes: Buffer, expect: ExpectedWal, text: RegExp])[] = [
  ['an empty file', Buffer.alloc(0), {}, /empty/],
  ['a short file', forged().subarray(0, 39), {}, /39 bytes/],
  ['zeros', Buffer.alloc(8192), {}, /zeros/],
  ['text', Buffer.alloc(100, '#!/bin/sh\n'), {}, /begins with 2123/],
  ['a future version', forged({ magic: 0xd1ff }), {}, /D1FF.*hint.*newer/s],
  ['big-endian', forged().swap16(), {}, /10D1/],
  ['a page from the middle', forged({ info: 0 }), {}, /first page/],
  ['an impossible segment size', forged({ segmentBytes: 3 * MiB }), {}, /first page/],
  ['a recycled segment', forged({ address: 0x300_0000n }), {}, /0\/3000000.*0\/B000000.*hint/s],
  ['the same segment of the next 4 GiB', forged({ address: 0x1_0b00_0000n }), {}, /1\/B000000/],
  ['a later timeline', forged({ timeline: 3 }), {}, /timeline 3.*2/],
  ['a truncated file', forged(), { fileBytes: 8 * MiB }, /8388608.*16777216/],
  ['a grown file', forged(), { fileBytes: 16 * MiB + 1 }, /16777217/],
];

const ofAnother: typeof invalid = [
  ['another system identifier', forged({ systemIdentifier: 42n }), { systemIdentifier }, /another cluster.*42.*7711184263071628750/s],
  ['another segment size', forged(), { segmentBytes: 64 * MiB }, /another cluster.*16777216.*67108864/],
];

for (const [code, cases] of [
  ['wal-invalid', invalid],
  ['cluster-mismatch', ofAnother],
] as const) {
  for (const [what, bytes, expect, text] of cases) {
    test(`${code}: ${what}`, () => {
      const error = thrownBy(() => checkWalSegment(name, bytes, expect));
      assert(isOperatorError(error, code), String(error));
      assert.match(explain(error), text);
      assert.match(error.message, new RegExp(name));
    });
  }
}

test('a name that no segment of that size can have', () => {
  assert.throws(
    () => checkWalSegment('000000020000000000000100', forged()),
    (error) => isOperatorError(error, 'wal-name-invalid', 'wal-invalid'),
  );
});

test('a page shorter than a header', () => {
  assert.throws(
    () => parseWalPageHeader(Buffer.alloc(19)),
    (error) => isOperatorError(error, 'wal-invalid'),
  );
});

function thrownBy(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  return assert.fail('nothing was thrown');
}
