import type { Lsn } from './lsn.ts';
import { pageBytes, pageChecksum, pageHeader } from './page-checksum.ts';

/** `16384`, `16384_vm.3` (isRelFileName, basebackup.c), in `global`, a database, or a tablespace. */
const relationFile = /(?:^|\/)(?:global|base\/\d+|PG_[^/]+\/\d+)\/\d+(?:_(?:fsm|vm|init))?(?:\.(\d+))?$/;
/** Of a file of a relation but the last (RELSEG_SIZE). */
const blocksPerFile = 131_072;

/** Number of the first block that a file holds; undefined where it holds no pages. `path`: below PGDATA, or with more before it. */
export function firstBlockOf(path: string): number | undefined {
  const found = relationFile.exec(path);
  return found ? Number(found[1] ?? 0) * blocksPerFile : undefined;
}

/**
 * Whether a page of a base backup is sound that began at `startLsn`: new, or written since, of which the WAL has a whole copy, or with the right checksum. `bytes` at
 * `at` must be aligned to four bytes in their memory.
 */
export function isPageSound(bytes: Buffer, at: number, block: number, startLsn: Lsn): boolean {
  const { lsn, checksum, isNew } = pageHeader(bytes, at);
  if (isNew || lsn >= startLsn) return true;
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + at, pageBytes / 4);
  return pageChecksum(words, 0, block) === checksum;
}
