import { crc32c } from '@node-rs/crc32';
import { z } from 'zod';
import { ManifestLists } from '../catalog/manifest-lists.ts';
import { FileLedger } from '../postgres/file-ledger.ts';

/** Other algorithms can be chosen for checksums, by hand only; then names and sizes are compared. */
const fileSchema = z.object({
  Path: z.string().optional(),
  /** Hexadecimal, where the path is not UTF-8. */
  'Encoded-Path': z.string().optional(),
  Size: z.int().nonnegative(),
  'Checksum-Algorithm': z.string().optional(),
  Checksum: z.string().optional(),
});

const toldMax = 5;
/** Which come with a backup, but are none of its files. */
const walFolder = /^pg_wal\//;

/**
 * Compares the files of a tar that PostgreSQL made with the manifest that it put at its end ("Backup Manifest Format" in its documentation), which lists
 * them in their order. Where it has none, such as before PostgreSQL 13, nothing is compared.
 */
export class ServerManifestCheck {
  readonly #ledger = new FileLedger();
  readonly #differences: string[] = [];
  #lists: ManifestLists | undefined;
  #listed = 0;
  #path = '';
  #size = 0;
  #crc = 0;

  beginFile(path: string, size: number): void {
    this.#path = path;
    this.#size = size;
    this.#crc = 0;
  }

  update(bytes: Uint8Array): void {
    this.#crc = crc32c(bytes, this.#crc);
  }

  endFile(): void {
    if (!walFolder.test(this.#path)) this.#ledger.add({ path: this.#path, size: this.#size, crc: this.#crc });
  }

  /** Some of its bytes. */
  manifest(bytes: Uint8Array): void {
    this.#lists ??= new ManifestLists({ Files: (item) => this.#compare(item) });
    this.#lists.update(bytes);
  }

  endManifest(): void {
    this.#lists?.finish();
  }

  /** Some of them; empty where there is no manifest. */
  differences(): readonly string[] {
    if (this.#lists === undefined) return [];
    const isAll = this.#listed === this.#ledger.count;
    return isAll ? this.#differences : [...this.#differences, `it lists ${this.#listed} files, and there are ${this.#ledger.count}`];
  }

  #compare(item: unknown): void {
    const {
      Path,
      'Encoded-Path': encoded = '',
      Size: size,
      'Checksum-Algorithm': algorithm,
      Checksum: checksum = '',
    } = fileSchema.parse(item);
    const path = Path ?? Buffer.from(encoded, 'hex').toString();
    const isKnown = algorithm === 'CRC32C' && /^[0-9a-f]{8}$/.test(checksum);
    // In the byte order of the server.
    const crc = isKnown ? Buffer.from(checksum, 'hex').readUInt32LE() : 0;
    const difference = this.#ledger.differenceAt(this.#listed++, { path, size, crc });
    if (difference === undefined || (difference === 'checksum' && !isKnown) || this.#differences.length >= toldMax) return;
    this.#differences.push(`${path} has another ${difference} than it lists`);
  }
}
