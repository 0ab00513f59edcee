import { compressSync } from 'snappy';
import type { ByteSink } from './codec-options.ts';
import { LentBuffer } from './lent-buffer.ts';
import { checksumBytes, chunkHeaderBytes, chunkType, maskedChecksum, plainBytesMax, streamIdentifier } from './snappy-format.ts';
import { free, type Stage } from './stage.ts';
import { timed } from './step-times.ts';

const chunkBytesMax = chunkHeaderBytes + checksumBytes + plainBytesMax;

/**
 * Plain bytes in, framed bytes out, up to 1 MiB at a time. Why not the framing class of the library: the native memory of each stays until the garbage
 * collector comes by, which knows nothing of it, and its end runs in the threads for files, each of which then keeps memory too.
 */
export class SnappyEncoder implements Stage {
  readonly #sink: ByteSink;
  readonly #lent = new LentBuffer();
  readonly #output = this.#lent.bytes.subarray(0, -plainBytesMax);
  #outputBytes = streamIdentifier.copy(this.#output);
  /** The beginning of a chunk whose rest has not come. */
  readonly #held = this.#lent.bytes.subarray(-plainBytesMax);
  #heldBytes = 0;

  constructor(sink: ByteSink) {
    this.#sink = sink;
  }

  update(bytes: Uint8Array): void | Promise<void> {
    for (let rest = bytes; rest.length > 0; ) {
      if (this.#outputBytes + chunkBytesMax > this.#output.length) {
        const pending = this.#giveOut();
        if (pending) return pending.then(() => this.update(rest));
      }
      const next = rest;
      rest = rest.subarray(timed('compress', () => this.#take(next)));
    }
    return undefined;
  }

  async finish(): Promise<void> {
    if (this.#outputBytes + chunkBytesMax > this.#output.length) await this.#giveOut();
    if (this.#heldBytes > 0) this.#encode(this.#held.subarray(0, this.#heldBytes));
    await this.#giveOut();
  }

  dispose(): void {
    this.#lent[Symbol.dispose]();
  }

  /** One chunk at most. Returns how many bytes were taken. */
  #take(bytes: Uint8Array): number {
    const taken = Math.min(bytes.length, plainBytesMax - this.#heldBytes);
    if (taken === plainBytesMax) {
      this.#encode(bytes.subarray(0, taken));
      return taken;
    }
    this.#held.set(bytes.subarray(0, taken), this.#heldBytes);
    this.#heldBytes += taken;
    if (this.#heldBytes === plainBytesMax) {
      this.#encode(this.#held);
      this.#heldBytes = 0;
    }
    return taken;
  }

  /** Data that shrink by less than an eighth stay as they are, as in every other encoder. */
  #encode(plain: Uint8Array): void {
    const compressed = compressSync(plain, { copyOutputData: true });
    const isSmaller = compressed.length < plain.length - Math.floor(plain.length / 8);
    const data = isSmaller ? compressed : plain;
    const [output, at] = [this.#output, this.#outputBytes];
    output.writeUInt8(isSmaller ? chunkType.compressed : chunkType.uncompressed, at);
    output.writeUIntLE(checksumBytes + data.length, at + 1, 3);
    output.writeUInt32LE(maskedChecksum(plain), at + chunkHeaderBytes);
    output.set(data, at + chunkHeaderBytes + checksumBytes);
    this.#outputBytes += chunkHeaderBytes + checksumBytes + data.length;
    free(compressed);
  }

  #giveOut(): void | Promise<void> {
    const bytes = this.#output.subarray(0, this.#outputBytes);
    this.#outputBytes = 0;
    return this.#sink(bytes);
  }
}
