import { crc32c } from '@node-rs/crc32';

const entriesFirst = 4096;

/** A file as it came, or as the server's manifest lists it. */
export interface LedgerFile {
  /** Below the data directory, tablespaces as `pg_tblspc/<oid>/…`. */
  readonly path: string;
  readonly size: number;
  /** CRC-32C of its content. */
  readonly crc: number;
}

/** What came, file by file in its order: eight bytes for each, as there may be millions. */
export class FileLedger {
  /** Of path and size, and of the content. */
  #sums = new Uint32Array(2 * entriesFirst);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(file: LedgerFile): void {
    if (2 * this.#count === this.#sums.length) this.#grow();
    this.#sums[2 * this.#count] = sumOfName(file);
    this.#sums[2 * this.#count + 1] = file.crc;
    this.#count++;
  }

  /** How the file at `index` differs from this one; undefined where it is the same. */
  differenceAt(index: number, file: LedgerFile): 'name or size' | 'checksum' | undefined {
    if (index >= this.#count || this.#sums[2 * index] !== sumOfName(file)) return 'name or size';
    return this.#sums[2 * index + 1] === file.crc ? undefined : 'checksum';
  }

  #grow(): void {
    const larger = new Uint32Array(2 * this.#sums.length);
    larger.set(this.#sums);
    this.#sums = larger;
  }
}

function sumOfName({ path, size }: LedgerFile): number {
  return crc32c(`${size} ${path}`);
}
