const roomBytesFirst = 8192;
/** So few bytes are copied faster by hand. */
const copiedByHandMax = 64;

/** A record that is not all on one page: what has come of it, as far as that is wanted. One object serves for one such record after the other. */
export class PendingRecord {
  #bytes = Buffer.allocUnsafeSlow(roomBytesFirst);
  #view = new DataView(this.#bytes.buffer);
  #wanted = 0;
  #kept = 0;
  /** Where it begins in the segment. */
  offset = 0;
  totalBytes = 0;
  /** How much of the record has come. */
  come = 0;
  isOpen = false;

  begin(offset: number, totalBytes: number, wantedBytes: number): void {
    this.offset = offset;
    this.totalBytes = totalBytes;
    this.come = 0;
    this.isOpen = true;
    this.#kept = 0;
    this.#wanted = Math.min(wantedBytes, totalBytes);
  }

  close(): void {
    this.isOpen = false;
  }

  get missing(): number {
    return this.totalBytes - this.come;
  }

  /** How much of its beginning is in {@link bytes}. */
  get kept(): number {
    return this.#kept;
  }

  /** Its beginning, until the next record begins. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  get view(): DataView {
    return this.#view;
  }

  get hasWanted(): boolean {
    return this.#kept === this.#wanted;
  }

  /** From now on; what was passed over before is not got back. */
  want(bytes: number): void {
    this.#wanted = Math.max(Math.min(bytes, this.totalBytes), this.#kept);
  }

  /** Adds `bytes` from `at` up to `end`. */
  add(bytes: Uint8Array, at: number, end: number): void {
    // What was passed over leaves nothing to go on with.
    const room = this.#kept === this.come ? this.#wanted - this.#kept : 0;
    this.come += end - at;
    const taken = Math.min(end - at, room);
    if (taken <= 0) return;
    this.#makeRoom(this.#kept + taken);
    if (taken > copiedByHandMax) this.#bytes.set(bytes.subarray(at, at + taken), this.#kept);
    else for (let each = 0; each < taken; each++) this.#bytes[this.#kept + each] = bytes[at + each] as number;
    this.#kept += taken;
  }

  #makeRoom(bytes: number): void {
    if (bytes <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(bytes, 2 * this.#bytes.length));
    larger.set(this.#bytes.subarray(0, this.#kept));
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }
}
