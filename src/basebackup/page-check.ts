import { readSync } from 'node:fs';
import type { Lsn } from '../postgres/lsn.ts';
import { pageBytes } from '../postgres/page-checksum.ts';
import { firstBlockOf, isPageSound } from '../postgres/relation-pages.ts';

export interface PageCheck {
  /** Where the backup began: of a page that was written since, the WAL has a whole copy. */
  readonly startLsn: Lsn;
}

/** A file that is damaged all over is told of as briefly as PostgreSQL does. */
const toldPerFileMax = 5;

/** Looks at the pages of one file while it is copied, as the server does in a base backup of its own. */
export class PageChecker {
  readonly damaged: string[] = [];
  readonly #path: string;
  readonly #fd: number;
  readonly #startLsn: Lsn;
  readonly #firstBlock: number;

  /** Undefined where nothing is to be checked: the file holds no pages. `path`: with `pgdata/` or `tablespaces/NAME/` before it, or below PGDATA. */
  static of(path: string, fd: number, check: PageCheck | undefined): PageChecker | undefined {
    const firstBlock = firstBlockOf(path);
    return check === undefined || firstBlock === undefined
      ? undefined
      : new PageChecker(path.replace(/^pgdata\//, ''), fd, check.startLsn, firstBlock);
  }

  private constructor(path: string, fd: number, startLsn: Lsn, firstBlock: number) {
    this.#path = path;
    this.#fd = fd;
    this.#startLsn = startLsn;
    this.#firstBlock = firstBlock;
  }

  /** `bytes` lie at `position` of the file. What is no whole page, as of a file that is cut or shrinks just now, is left to the WAL. */
  look(bytes: Buffer, position: number): void {
    if (position % pageBytes !== 0) return;
    const whole = bytes.length - (bytes.length % pageBytes);
    for (let at = 0; at < whole && this.damaged.length < toldPerFileMax; at += pageBytes) {
      const block = this.#firstBlock + (position + at) / pageBytes;
      if (!isPageSound(bytes, at, block, this.#startLsn) && !this.#isSoundByNow(position + at, block))
        this.damaged.push(`${this.#path}, block ${block}`);
    }
  }

  /** The server may have been writing it when it was read. */
  #isSoundByNow(position: number, block: number): boolean {
    const page = Buffer.allocUnsafeSlow(pageBytes);
    const got = readSync(this.#fd, page, 0, pageBytes, position);
    return got < pageBytes || isPageSound(page, 0, block, this.#startLsn);
  }
}
