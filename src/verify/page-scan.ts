import type { Lsn } from '../postgres/lsn.ts';
import { pageBytes } from '../postgres/page-checksum.ts';
import { firstBlockOf, isPageSound } from '../postgres/relation-pages.ts';

/** A file that is damaged all over is told of as briefly as PostgreSQL does. */
const toldPerFileMax = 5;
const toldMax = 100;

/**
 * Looks at the pages of relations in files that come in pieces. A page that was being written while the backup was taken is repaired by the WAL: one counts as damaged
 * only where its position is older than the backup.
 */
export class PageScan {
  readonly damaged: string[] = [];
  readonly #startLsn: Lsn;
  /** A page of which only a part has come, or that lies at an odd address. */
  readonly #page = Buffer.allocUnsafeSlow(pageBytes);
  #filled = 0;
  #path = '';
  /** Undefined: the file holds no pages. */
  #block: number | undefined;
  #told = 0;

  constructor(startLsn: Lsn) {
    this.#startLsn = startLsn;
  }

  beginFile(path: string): void {
    this.#path = path;
    this.#block = firstBlockOf(path);
    this.#filled = 0;
    this.#told = 0;
  }

  /** Keeps nothing of `bytes`. */
  update(bytes: Uint8Array): void {
    if (this.#block === undefined || this.#told >= toldPerFileMax || this.damaged.length >= toldMax) return;
    const piece = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    let at = this.#filled === 0 ? 0 : this.#fill(piece, 0);
    if ((piece.byteOffset + at) % 4 === 0) for (; piece.length - at >= pageBytes; at += pageBytes) this.#look(piece, at);
    while (at < piece.length) at = this.#fill(piece, at);
  }

  /** Returns how far the piece has been used up. */
  #fill(piece: Buffer, from: number): number {
    const taken = piece.copy(this.#page, this.#filled, from, from + pageBytes - this.#filled);
    this.#filled += taken;
    if (this.#filled === pageBytes) {
      this.#look(this.#page, 0);
      this.#filled = 0;
    }
    return from + taken;
  }

  #look(bytes: Buffer, at: number): void {
    const block = this.#block as number;
    this.#block = block + 1;
    if (isPageSound(bytes, at, block, this.#startLsn)) return;
    if (++this.#told <= toldPerFileMax && this.damaged.length < toldMax) this.damaged.push(`${this.#path}, block ${block}`);
  }
}
