import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { constants, createDecipheriv, createHmac, privateDecrypt } from 'node:crypto';
import { crc32c } from '@node-rs/crc32';
import { uncompressSync } from 'snappy';

/*
 * Readers of the byte formats that know nothing of src/: written from sections 3 to 5 of the original's specification, and stricter than
 * readers need to be, because they say how our own objects must look.
 */

/** What the container encloses: `pghoa1`, a length, the session block under RSA-OAEP, AES-128-CTR, HMAC-SHA-256. */
export function openContainer(bytes: Buffer, privateKey: string, modulusBytes: number): Buffer {
  assert.equal(bytes.toString('latin1', 0, 6), 'pghoa1');
  assert.equal(bytes.readUInt16BE(6), modulusBytes);
  const wrapped = bytes.subarray(8, 8 + modulusBytes);
  const session = privateDecrypt({ key: privateKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha1' }, wrapped);
  assert.equal(session.length, 64);
  const payload = bytes.subarray(8 + modulusBytes, -32);
  assert.deepEqual(bytes.subarray(-32), createHmac('sha256', session.subarray(32)).update(payload).digest());
  return createDecipheriv('aes-128-ctr', session.subarray(0, 16), session.subarray(16, 32)).update(payload);
}

export const decompressors = { snappy: openSnappy, lzma: openXz, zstd: openZstd };

/** The identifier once and first, then only data chunks of 1 to 65536 plain bytes, each with its masked CRC-32C. */
function openSnappy(bytes: Buffer): Buffer {
  assert.equal(bytes.toString('latin1', 0, 10), '\xff\x06\0\0sNaPpY');
  const plain: Buffer[] = [];
  for (let at = 10; at < bytes.length; ) {
    const type = bytes.readUInt8(at);
    const data = bytes.subarray(at + 8, at + 4 + bytes.readUIntLE(at + 1, 3));
    assert.ok(type === 0 || type === 1, `chunk type ${type} at ${at}`);
    const content = type === 0 ? (uncompressSync(data, { asBuffer: true, copyOutputData: true }) as Buffer) : data;
    assert.ok(content.length > 0 && content.length <= 65_536, `${content.length} bytes in a chunk`);
    const crc = crc32c(content);
    assert.equal(bytes.readUInt32LE(at + 4), (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0);
    plain.push(content);
    at += 8 + data.length;
  }
  return Buffer.concat(plain);
}

/** One stream with CRC-64: its index, found from the end, accounts for every byte. */
function openXz(bytes: Buffer): Buffer {
  assert.equal(bytes.toString('hex', 0, 8), 'fd377a585a000004', 'magic, CRC64');
  assert.equal(bytes.toString('hex', bytes.length - 4), '0004595a', 'the same flags, magic of the end');
  const indexBytes = (bytes.readUInt32LE(bytes.length - 8) + 1) * 4;
  let at = bytes.length - 12 - indexBytes;
  assert.equal(bytes.readUInt8(at++), 0, 'an index begins');
  const number = (): number => {
    for (let value = 0, shift = 0; ; shift += 7) {
      const byte = bytes.readUInt8(at++);
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  };
  let total = 12 + indexBytes + 12;
  for (let left = number(); left > 0; left--) {
    total += Math.ceil(number() / 4) * 4;
    number();
  }
  assert.equal(total, bytes.length, 'one stream is all');
  const { status, stdout, stderr } = spawnSync('xz', ['-dc'], { input: bytes, maxBuffer: 2 ** 30 });
  assert.equal(status, 0, stderr.toString());
  return stdout;
}

/** One frame with a checksum of its content, without content size and dictionary. */
function openZstd(bytes: Buffer): Buffer {
  assert.equal(bytes.readUInt32LE(0), 0xfd2fb528);
  assert.equal(bytes.readUInt8(4), 0x04, 'frame header descriptor');
  let at = 6;
  for (let last = false; !last; ) {
    const header = bytes.readUIntLE(at, 3);
    last = (header & 1) === 1;
    at += 3 + ((header & 6) === 2 ? 1 : header >> 3);
  }
  assert.equal(at + 4, bytes.length, 'one frame is all');
  const { status, stdout, stderr } = spawnSync('zstd', ['-dc'], { input: bytes, maxBuffer: 2 ** 30 });
  assert.equal(status, 0, stderr.toString());
  return stdout;
}

export interface RawMember {
  readonly path: string;
  readonly type: string;
  readonly mode: number;
  readonly data: Buffer;
}

/** Members of a POSIX archive: `ustar` blocks, with pax `x` records where a value does not fit, zeros up to a whole record. */
export function openTar(bytes: Buffer): RawMember[] {
  assert.equal(bytes.length % 10_240, 0, 'whole records');
  const members: RawMember[] = [];
  let pax = new Map<string, string>();
  let at = 0;
  for (; bytes.readUInt8(at) !== 0; ) {
    const block = bytes.subarray(at, at + 512);
    const text = (offset: number, length: number) => block.toString('latin1', offset, offset + length).replace(/\0.*$/s, '');
    const octal = (offset: number, length: number) => Number.parseInt(text(offset, length), 8);
    assert.equal(block.toString('latin1', 257, 265), 'ustar\x0000');
    const sum = block.reduce((total, byte, i) => total + (i >= 148 && i < 156 ? 32 : byte), 0);
    assert.equal(octal(148, 8), sum, 'checksum');
    const type = text(156, 1);
    const size = Number(pax.get('size') ?? octal(124, 12));
    const data = bytes.subarray(at + 512, at + 512 + size);
    at += 512 + Math.ceil(size / 512) * 512;
    if (type === 'x') {
      pax = paxRecords(data);
      continue;
    }
    assert.ok(['0', '2', '5'].includes(type), `typeflag ${type}`);
    members.push({ path: pax.get('path') ?? text(0, 100), type, mode: octal(100, 8), data });
    pax = new Map();
  }
  assert.ok(bytes.length - at >= 1024 && bytes.subarray(at).every((byte) => byte === 0), 'zeros to the end');
  return members;
}

function paxRecords(data: Buffer): Map<string, string> {
  const records = new Map<string, string>();
  for (let at = 0; at < data.length; ) {
    const length = Number.parseInt(data.toString('latin1', at), 10);
    const record = data.toString('utf8', at, at + length);
    const [, keyword = '', value = ''] = /^\d+ ([^=]+)=([^]*)\n$/.exec(record) ?? assert.fail(`no pax record: ${record}`);
    records.set(keyword, value);
    at += length;
  }
  return records;
}
