import { objectCorrupt } from './object-corrupt.ts';

/** RFC 8878, 3.1.1, little endian. There are sixteen magic numbers of skippable frames. */
const frameMagic = 0xfd2fb528;
const skippableMagicFirst = 0x184d2a50;
const skippableMagicLast = 0x184d2a5f;
const magicBytes = 4;
const blockHeaderBytes = 3;
const checksumBytes = 4;
const blockType = { rle: 1, reserved: 3 } as const;

/** What the next bytes are. `frame`: the magic number of one, unless the stream ends here. */
type Part = 'frame' | 'skippable-size' | 'descriptor' | 'block' | 'checksum';

/**
 * Follows zstd frames by their structure, without decompressing: says whether the bytes end where a frame ends,
 * which a decompressor that is fed in pieces keeps to itself, and refuses what follows the last frame.
 */
export class ZstdFrames {
  #part: Part = 'frame';
  /** The part that is being read. */
  readonly #bytes = Buffer.alloc(4);
  #bytesRead = 0;
  #bytesWanted = magicBytes;
  /** Content that is passed over before the part begins. */
  #skipBytes = 0;
  #frames = 0;
  #hasChecksum = false;

  /** Throws `object-corrupt` where no frame can go on like this. */
  follow(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) at += this.#skipBytes > 0 ? this.#skip(bytes.length - at) : this.#read(bytes.subarray(at));
  }

  /** Throws `object-corrupt` unless there was at least one frame and the last one is complete. */
  checkEnd(): void {
    if (this.#frames === 0) throw objectCorrupt('it has no complete zstd frame in it');
    if (this.#part !== 'frame' || this.#bytesRead > 0 || this.#skipBytes > 0) throw objectCorrupt('its zstd stream ends within a frame');
  }

  #skip(bytesMax: number): number {
    const skipped = Math.min(this.#skipBytes, bytesMax);
    this.#skipBytes -= skipped;
    return skipped;
  }

  #read(bytes: Uint8Array): number {
    const taken = bytes.subarray(0, this.#bytesWanted - this.#bytesRead);
    this.#bytes.set(taken, this.#bytesRead);
    this.#bytesRead += taken.length;
    if (this.#bytesRead === this.#bytesWanted) {
      this.#bytesRead = 0;
      this.#endPart();
    }
    return taken.length;
  }

  #endPart(): void {
    switch (this.#part) {
      case 'frame':
        return this.#endMagic(this.#bytes.readUInt32LE(0));
      case 'skippable-size':
        return this.#begin('frame', magicBytes, this.#bytes.readUInt32LE(0));
      case 'descriptor':
        return this.#endDescriptor(this.#bytes.readUInt8(0));
      case 'block':
        return this.#endBlockHeader(this.#bytes.readUIntLE(0, blockHeaderBytes));
      case 'checksum':
        return this.#endFrame();
    }
  }

  #begin(part: Part, bytesWanted: number, skipBytes = 0): void {
    this.#part = part;
    this.#bytesWanted = bytesWanted;
    this.#skipBytes = skipBytes;
  }

  #endMagic(magic: number): void {
    if (magic === frameMagic) return this.#begin('descriptor', 1);
    if (magic >= skippableMagicFirst && magic <= skippableMagicLast) return this.#begin('skippable-size', 4);
    throw objectCorrupt(this.#frames === 0 ? 'it does not begin as a zstd stream does' : 'something else follows its zstd stream');
  }

  /** The rest of the frame header: window descriptor, dictionary id and content size, which the decompressor checks. */
  #endDescriptor(descriptor: number): void {
    const contentSizeFlag = descriptor >> 6;
    const singleSegment = (descriptor & 0x20) !== 0;
    this.#hasChecksum = (descriptor & 0x04) !== 0;
    const windowBytes = singleSegment ? 0 : 1;
    const dictionaryBytes = [0, 1, 2, 4][descriptor & 0x03] ?? 0;
    const contentSizeBytes = [singleSegment ? 1 : 0, 2, 4, 8][contentSizeFlag] ?? 0;
    this.#begin('block', blockHeaderBytes, windowBytes + dictionaryBytes + contentSizeBytes);
  }

  #endBlockHeader(header: number): void {
    const type = (header >> 1) & 0x03;
    if (type === blockType.reserved) throw objectCorrupt('its zstd stream has a block of an unknown type');
    const contentBytes = type === blockType.rle ? 1 : header >> 3;
    const last = (header & 1) !== 0;
    if (!last) this.#begin('block', blockHeaderBytes, contentBytes);
    else if (this.#hasChecksum) this.#begin('checksum', checksumBytes, contentBytes);
    else this.#endFrame(contentBytes);
  }

  #endFrame(contentBytes = 0): void {
    this.#frames += 1;
    this.#begin('frame', magicBytes, contentBytes);
  }
}
