import { crc32c } from '@node-rs/crc32';
import { recordAt, recordHeaderBytes } from './record-layout.ts';

/** From here on the call into native code costs less than what it saves. */
const nativeBytesMin = 512;

const table = new Uint32Array(256).map((_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  return crc;
});

/** Whether the whole record that begins at `at` has the CRC it should have: of what follows the header, then of the header up to the CRC itself. */
export function hasRightCrc(bytes: Uint8Array, view: DataView, at: number, totalBytes: number): boolean {
  const expected = view.getUint32(at + recordAt.crc, true);
  return (totalBytes < nativeBytesMin ? ownCrc(bytes, at, totalBytes) : nativeCrc(bytes, at, totalBytes)) === expected;
}

function ownCrc(bytes: Uint8Array, at: number, totalBytes: number): number {
  let crc = 0xffff_ffff;
  for (let each = at + recordHeaderBytes; each < at + totalBytes; each++) {
    crc = (crc >>> 8) ^ (table[(crc ^ (bytes[each] as number)) & 0xff] as number);
  }
  for (let each = at; each < at + recordAt.crc; each++) crc = (crc >>> 8) ^ (table[(crc ^ (bytes[each] as number)) & 0xff] as number);
  return (crc ^ 0xffff_ffff) >>> 0;
}

function nativeCrc(bytes: Uint8Array, at: number, totalBytes: number): number {
  return crc32c(bytes.subarray(at, at + recordAt.crc), crc32c(bytes.subarray(at + recordHeaderBytes, at + totalBytes)));
}
