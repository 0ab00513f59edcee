/**
 * XLogRecord, little endian: total length u32, transaction u32, position of the record before u64, info u8, resource manager u8, padding, CRC-32C u32.
 * Records begin at multiples of eight bytes, so that the first two fields are always on one page.
 */
export const recordHeaderBytes = 24;

export const recordAt = { totalBytes: 0, xid: 4, previous: 8, info: 16, manager: 17, crc: 20 } as const;

/** MAXALIGN */
export function aligned(bytes: number): number {
  return (bytes + 7) & ~7;
}

/** PostgreSQL makes none that is longer (XLogRecordMaxSize; before 16, what can be allocated at once). */
export const recordBytesMax = 1024 ** 3;
