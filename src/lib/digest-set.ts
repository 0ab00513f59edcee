const digestBytes = 32;
const slotsFirst = 1024;

/**
 * A set of 256-bit digests, given and taken as lower-case hex, in about 50 bytes each: a set of strings takes three times as much.
 * Digests are their own hash values: no two slots are likelier than others.
 */
export class DigestSet implements Iterable<string> {
  #digests = Buffer.allocUnsafeSlow((slotsFirst / 2) * digestBytes);
  /** Number of the digest from 1; 0: free. */
  #slots = new Uint32Array(slotsFirst);
  #size = 0;
  readonly #probe = Buffer.alloc(digestBytes);

  get size(): number {
    return this.#size;
  }

  has(hex: string): boolean {
    return this.#slots[this.#slotOf(hex)] !== 0;
  }

  /** Says whether it was new. */
  add(hex: string): boolean {
    const slot = this.#slotOf(hex);
    if (this.#slots[slot] !== 0) return false;
    this.#probe.copy(this.#digests, this.#size * digestBytes);
    this.#slots[slot] = ++this.#size;
    if (this.#size * 2 === this.#slots.length) this.#grow();
    return true;
  }

  /** In the order they came. */
  *[Symbol.iterator](): Iterator<string> {
    for (let i = 0; i < this.#size; i++) yield this.#digests.toString('hex', i * digestBytes, (i + 1) * digestBytes);
  }

  #slotOf(hex: string): number {
    if (hex.length !== digestBytes * 2 || this.#probe.write(hex, 'hex') !== digestBytes) throw new RangeError(`not a digest: ${hex}`);
    return this.#slotFor(this.#probe, 0);
  }

  #slotFor(bytes: Buffer, offset: number): number {
    const mask = this.#slots.length - 1;
    for (let slot = bytes.readUInt32LE(offset) & mask; ; slot = (slot + 1) & mask) {
      const number = this.#slots[slot] as number;
      if (number === 0) return slot;
      const at = (number - 1) * digestBytes;
      if (this.#digests.compare(bytes, offset, offset + digestBytes, at, at + digestBytes) === 0) return slot;
    }
  }

  #grow(): void {
    this.#slots = new Uint32Array(this.#slots.length * 2);
    const larger = Buffer.allocUnsafeSlow((this.#slots.length / 2) * digestBytes);
    this.#digests.copy(larger);
    this.#digests = larger;
    // Numbers are entered in ascending order, so a slot never refers to a digest that is not there yet.
    for (let i = 0; i < this.#size; i++) this.#slots[this.#slotFor(this.#digests, i * digestBytes)] = i + 1;
  }
}

/** Whether `text` is a 256-bit digest in lower-case hex. */
export function isDigest(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}
