import { crc32c } from '@node-rs/crc32';

/*
 * The Snappy framing format (framing_format.txt of google/snappy): chunks of
 * type u8 | length u24 | body, little endian; the body of a data chunk is the masked CRC-32C u32 of the plain bytes, then the data.
 */
export const streamIdentifier = Buffer.from([0xff, 0x06, 0x00, 0x00, 0x73, 0x4e, 0x61, 0x50, 0x70, 0x59]);
export const chunkHeaderBytes = 4;
export const checksumBytes = 4;
/** Of a chunk. */
export const plainBytesMax = 65_536;

export const chunkType = { compressed: 0x00, uncompressed: 0x01, firstSkippable: 0x80, streamIdentifier: 0xff } as const;

export function maskedChecksum(plain: Uint8Array): number {
  const checksum = crc32c(plain);
  return (((checksum >>> 15) | (checksum << 17)) + 0xa282ead8) >>> 0;
}
