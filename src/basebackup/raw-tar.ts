import { OperatorError } from '../lib/errors.ts';
import type { TarMember } from '../tar/header.ts';
import { type TarHandler, TarReader } from '../tar/reader.ts';

const labelBytesMax = 64 * 1024;

/** Looks for `backup_label` in the tar stream of pg_basebackup as it passes; PostgreSQL sends it first. */
export class LabelFinder {
  readonly #reader: TarReader;
  #parts: Buffer[] | undefined;
  #label: string | undefined;

  constructor() {
    const handler: TarHandler = {
      member: ({ path, size }: TarMember) => {
        if (path === 'backup_label' && size <= labelBytesMax) this.#parts = [];
      },
      data: (bytes) => void this.#parts?.push(Buffer.from(bytes)),
      end: () => {
        if (this.#parts) this.#label = Buffer.concat(this.#parts).toString();
        this.#parts = undefined;
      },
    };
    this.#reader = new TarReader(handler);
  }

  async look(bytes: Uint8Array): Promise<void> {
    if (this.#label === undefined) await this.#reader.update(bytes);
  }

  get label(): string {
    if (this.#label !== undefined) return this.#label;
    throw new OperatorError('backup-label-missing', 'the archive made by pg_basebackup has no backup_label, so it is no base backup');
  }
}
