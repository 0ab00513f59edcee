/** How long the longest page may be (XLOG_BLCKSZ). */
export const pageBytesMax = 64 * 1024;

/**
 * Cuts bytes that come in pieces of any length into pages, without copying those that are whole in their piece. The length of pages is known once `firstBytes` have come.
 * `onPage` returns false once it wants no more, and may keep nothing.
 */
export class PageAssembler {
  readonly #firstBytes: number;
  readonly #pageBytesOf: (first: Buffer) => number | undefined;
  readonly #onPage: (bytes: Uint8Array, view: DataView, at: number) => boolean;
  #page = Buffer.allocUnsafe(0);
  #pageView = new DataView(this.#page.buffer);
  #filled = 0;
  #pageBytes: number | undefined;
  #isOver = false;

  constructor(
    firstBytes: number,
    pageBytesOf: (first: Buffer) => number | undefined,
    onPage: (bytes: Uint8Array, view: DataView, at: number) => boolean,
  ) {
    this.#firstBytes = firstBytes;
    this.#pageBytesOf = pageBytesOf;
    this.#onPage = onPage;
  }

  update(bytes: Uint8Array): void {
    if (this.#isOver) return;
    let at = this.#pageBytes === undefined ? this.#begin(bytes) : 0;
    if (this.#pageBytes === undefined || this.#isOver) return;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    while (at < bytes.length && !this.#isOver) {
      if (this.#filled === 0 && bytes.length - at >= this.#pageBytes) {
        this.#isOver = !this.#onPage(bytes, view, at);
        at += this.#pageBytes;
      } else at = this.#fill(bytes, at, this.#pageBytes);
    }
  }

  /** Collects what tells the length of pages; returns how much of `bytes` it has taken. */
  #begin(bytes: Uint8Array): number {
    if (this.#page.length === 0) this.#makePage(pageBytesMax);
    const at = this.#fill(bytes, 0, this.#firstBytes, false);
    if (this.#filled < this.#firstBytes) return at;
    this.#pageBytes = this.#pageBytesOf(this.#page.subarray(0, this.#filled));
    this.#isOver = this.#pageBytes === undefined;
    return at;
  }

  #fill(bytes: Uint8Array, at: number, upTo: number, isPage = true): number {
    const end = Math.min(bytes.length, at + upTo - this.#filled);
    this.#page.set(bytes.subarray(at, end), this.#filled);
    this.#filled += end - at;
    if (isPage && this.#filled === upTo) {
      this.#filled = 0;
      this.#isOver = !this.#onPage(this.#page, this.#pageView, 0);
    }
    return end;
  }

  #makePage(bytes: number): void {
    this.#page = Buffer.allocUnsafeSlow(bytes);
    this.#pageView = new DataView(this.#page.buffer);
  }
}
