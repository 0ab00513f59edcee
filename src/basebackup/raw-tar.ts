import { OperatorError } from '../lib/errors.ts';
import { manifestTailBytes, type WalEnd, walEndIn } from '../postgres/backup-manifest.ts';
import type { TarMember } from '../tar/header.ts';
import { type TarHandler, TarReader } from '../tar/reader.ts';

const labelBytesMax = 64 * 1024;

/** Reads along in the tar stream of pg_basebackup: `backup_label`, which comes first, and the end of `backup_manifest`, which comes last where it is asked for. */
export class RawTarNotes {
  readonly #reader: TarReader;
  #path = '';
  #label: Buffer | undefined;
  #manifestTail: Buffer | undefined;

  constructor() {
    const handler: TarHandler = {
      member: ({ path, size }: TarMember) => {
        this.#path = path;
        if (path === 'backup_label' && size <= labelBytesMax) this.#label = Buffer.alloc(0);
        if (path === 'backup_manifest') this.#manifestTail = Buffer.alloc(0);
      },
      data: (bytes) => this.#note(bytes),
      end: () => {},
    };
    this.#reader = new TarReader(handler);
  }

  look(bytes: Uint8Array): void | Promise<void> {
    return this.#reader.update(bytes);
  }

  get label(): string {
    if (this.#label !== undefined) return this.#label.toString();
    throw new OperatorError('backup-label-missing', 'the archive made by pg_basebackup has no backup_label, so it is no base backup');
  }

  /** Undefined where the archive has no manifest. */
  get walEnd(): WalEnd | undefined {
    return this.#manifestTail && walEndIn(this.#manifestTail.toString());
  }

  #note(bytes: Uint8Array): void {
    if (this.#path === 'backup_label' && this.#label) this.#label = Buffer.concat([this.#label, bytes]);
    if (this.#path === 'backup_manifest' && this.#manifestTail)
      this.#manifestTail = Buffer.concat([this.#manifestTail, bytes.subarray(-manifestTailBytes)]).subarray(-manifestTailBytes);
  }
}
