import type { Lsn } from './lsn.ts';

export const pageBytes = 8192;
const pageWords = pageBytes / 4;
const lanes = 32;
/** pd_checksum is the lower half of this word of a page. */
const checksumWord = 2;
const prime = 16_777_619;

/** checksumBaseOffsets (checksum_impl.h). */
const laneBases = new Int32Array(
  new Uint32Array([
    0x5b1f36e9, 0xb8525960, 0x02ab50aa, 0x1de66d2a, 0x79ff467a, 0x9bb9f8a3, 0x217e7cd2, 0x83e13d2c, 0xf8d4474f, 0xe39eb970, 0x42c6ae16,
    0x993216fa, 0x7b093b5d, 0x98daff3c, 0xf718902a, 0x0b1c9cdb, 0xe58f764b, 0x187636bc, 0x5d7b3bb1, 0xe73de7de, 0x92bec979, 0xcca6c0b2,
    0x304a0979, 0x85aa43d4, 0x783125bb, 0x6ca8eaa2, 0xe407eac6, 0x4b5cfc3e, 0x9fbf8c76, 0x15ca20be, 0xf2ca9fd3, 0x959bd756,
  ]).buffer,
);

/**
 * The checksum that a page has to bear as block `block` of its relation (pg_checksum_page, checksum_impl.h): FNV-1a in 32 lanes. `words`: little-endian, `at`: index
 * of the first of the page.
 */
export function pageChecksum(words: Int32Array, at: number, block: number): number {
  const header = words[at + checksumWord] as number;
  words[at + checksumWord] = header & ~0xffff;
  let result = 0;
  for (let lane = 0; lane < lanes; lane += 4) result ^= fourLanes(words, at + lane, at + pageWords, lane);
  words[at + checksumWord] = header;
  return (((result ^ block) >>> 0) % 65_535) + 1;
}

/** Four at once, so that a processor need not wait for one multiplication to begin the next. */
function fourLanes(words: Int32Array, from: number, end: number, lane: number): number {
  let a = laneBases[lane] as number;
  let b = laneBases[lane + 1] as number;
  let c = laneBases[lane + 2] as number;
  let d = laneBases[lane + 3] as number;
  for (let at = from; at < end; at += lanes) {
    a = mixed(a ^ (words[at] as number));
    b = mixed(b ^ (words[at + 1] as number));
    c = mixed(c ^ (words[at + 2] as number));
    d = mixed(d ^ (words[at + 3] as number));
  }
  for (let round = 0; round < 2; round++) {
    a = mixed(a);
    b = mixed(b);
    c = mixed(c);
    d = mixed(d);
  }
  return a ^ b ^ c ^ d;
}

function mixed(value: number): number {
  return Math.imul(value, prime) ^ (value >>> 17);
}

/** What the header of a page says (PageHeaderData, bufpage.h), of a whole page in a little-endian buffer. */
export function pageHeader(bytes: Buffer, at: number): { readonly lsn: Lsn; readonly checksum: number; readonly isNew: boolean } {
  const lsn = (BigInt(bytes.readUInt32LE(at)) << 32n) | BigInt(bytes.readUInt32LE(at + 4));
  return { lsn, checksum: bytes.readUInt16LE(at + 8), isNew: bytes.readUInt16LE(at + 14) === 0 };
}
