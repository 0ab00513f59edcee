import { createHash, type Hash } from 'node:crypto';
import { z } from 'zod';
import { ManifestLists } from '../../catalog/manifest-lists.ts';
import { isOperatorError, OperatorError } from '../../lib/errors.ts';
import type { WalPosition } from '../../postgres/base-backup.ts';
import type { FileLedger } from '../../postgres/file-ledger.ts';
import { formatLsn } from '../../postgres/lsn.ts';

/** Longer than its last line, which is the checksum of what stands before it. */
const tailBytes = 256;
/** The fields before the list of files are within these. */
const headBytes = 512;
const lastLine = /^"Manifest-Checksum": "([0-9a-f]{64})"\}\n?$/;

const fileSchema = z.object({
  Path: z.string().optional(),
  /** Hexadecimal, where the path is not UTF-8. */
  'Encoded-Path': z.string().optional(),
  Size: z.int().nonnegative(),
  'Checksum-Algorithm': z.literal('CRC32C'),
  Checksum: z.string().regex(/^[0-9a-f]{8}$/),
});

const walRangeSchema = z.object({ Timeline: z.int().positive(), 'Start-LSN': z.string(), 'End-LSN': z.string() });

/** What the backup is known to be from elsewhere. */
export interface BackupExtent {
  readonly systemIdentifier: bigint;
  readonly start: WalPosition;
  readonly end: WalPosition;
}

/**
 * Compares the manifest that the server sends after a base backup ("Backup Manifest Format" in PostgreSQL's documentation) with what came. The server lists
 * files in the order in which it sent them. Throws `backup-manifest-mismatch`.
 */
export class ServerManifest {
  readonly #ledger: FileLedger;
  readonly #lists: ManifestLists;
  readonly #hash: Hash = createHash('sha256');
  #head = '';
  #tail: Buffer = Buffer.alloc(0);
  #files = 0;
  readonly #walRanges: z.output<typeof walRangeSchema>[] = [];

  constructor(ledger: FileLedger) {
    this.#ledger = ledger;
    this.#lists = new ManifestLists({
      Files: (item) => this.#compareFile(item),
      'WAL-Ranges': (item) => void this.#walRanges.push(parsed(walRangeSchema, item, 'a range of WAL')),
    });
  }

  update(bytes: Buffer): void {
    if (this.#head.length < headBytes) this.#head += bytes.toString('latin1', 0, headBytes - this.#head.length);
    readable(() => this.#lists.update(bytes));
    const pending = Buffer.concat([this.#tail, bytes]);
    const kept = Math.min(tailBytes, pending.length);
    this.#hash.update(pending.subarray(0, pending.length - kept));
    this.#tail = Buffer.from(pending.subarray(pending.length - kept));
  }

  finish(extent: BackupExtent): void {
    readable(() => this.#lists.finish());
    this.#checkSum();
    if (this.#files !== this.#ledger.count) throw mismatch(`it lists ${this.#files} files, and ${this.#ledger.count} came`);
    this.#checkIdentifier(extent.systemIdentifier);
    this.#checkWal(extent);
  }

  #compareFile(item: unknown): void {
    const listed = parsed(fileSchema, item, 'a file');
    const path = listed.Path ?? Buffer.from(listed['Encoded-Path'] ?? '', 'hex').toString();
    // The checksum is written in the byte order of the server, and only little-endian ones are supported.
    const file = { path, size: listed.Size, crc: Buffer.from(listed.Checksum, 'hex').readUInt32LE() };
    const difference = this.#ledger.differenceAt(this.#files++, file);
    if (difference === undefined) return;
    const what =
      difference === 'checksum' ? 'has another checksum than what came' : `with ${file.size} bytes is not what came as file ${this.#files}`;
    throw mismatch(`${JSON.stringify(path)} ${what}`);
  }

  #checkSum(): void {
    const at = this.#tail.lastIndexOf(0x0a, this.#tail.length - 2) + 1;
    const stated = lastLine.exec(this.#tail.toString('latin1', at))?.[1];
    if (at === 0 || stated === undefined) throw mismatch('it does not end with its checksum');
    if (this.#hash.update(this.#tail.subarray(0, at)).digest('hex') !== stated) throw mismatch('its own checksum is wrong');
  }

  /** Since PostgreSQL 17. */
  #checkIdentifier(expected: bigint): void {
    const stated = /"System-Identifier":\s*(\d{1,20})/.exec(this.#head)?.[1];
    if (stated !== undefined && BigInt(stated) !== expected) throw mismatch(`it is of the cluster ${stated}, not of ${expected}`);
  }

  #checkWal({ start, end }: BackupExtent): void {
    const has = (key: 'Start-LSN' | 'End-LSN', { lsn, timeline }: WalPosition) =>
      this.#walRanges.some((range) => range.Timeline === timeline && range[key].toUpperCase() === formatLsn(lsn));
    if (!has('Start-LSN', start))
      throw mismatch(`none of its ranges of WAL begins at ${formatLsn(start.lsn)} on timeline ${start.timeline}`);
    if (!has('End-LSN', end)) throw mismatch(`none of its ranges of WAL ends at ${formatLsn(end.lsn)} on timeline ${end.timeline}`);
  }
}

function parsed<T>(schema: z.ZodType<T>, item: unknown, what: string): T {
  const result = schema.safeParse(item);
  if (result.success) return result.data;
  throw mismatch(`${what} in it is not understood: ${JSON.stringify(item).slice(0, 200)}`);
}

function readable(work: () => void): void {
  try {
    work();
  } catch (error) {
    throw isOperatorError(error, 'manifest-invalid') ? mismatch('it is not understood', error) : error;
  }
}

function mismatch(why: string, cause?: unknown): OperatorError {
  return new OperatorError('backup-manifest-mismatch', `the manifest that the server sent does not fit the base backup: ${why}`, {
    cause,
    retryable: true,
    hint: 'Something changed the data on their way from the server. The base backup is tried again; if it happens again, look for what is in between, and at the memory of both machines.',
  });
}
