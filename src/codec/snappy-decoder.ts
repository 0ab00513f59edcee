import { uncompressSync } from 'snappy';
import type { ByteSink } from './codec-options.ts';
import { objectCorrupt } from './object-corrupt.ts';
import { checksumBytes, chunkHeaderBytes, chunkType, maskedChecksum, plainBytesMax, streamIdentifier } from './snappy-format.ts';
import { handOver, type Stage } from './stage.ts';
import { timed } from './step-times.ts';

const identifierBody = streamIdentifier.subarray(4);
/** What snappy makes of 64 KiB in the worst case: 32 + n + n/6. */
const compressedBytesMax = 32 + plainBytesMax + Math.floor(plainBytesMax / 6);
const chunkBytesMax = chunkHeaderBytes + checksumBytes + compressedBytesMax;

/** Framed bytes in, plain bytes out. Holds at most one chunk that came in parts. */
export class SnappyDecoder implements Stage {
  readonly #sink: ByteSink;
  readonly #withChecksums: boolean;
  readonly #held = Buffer.allocUnsafeSlow(chunkBytesMax);
  #heldBytes = 0;
  #skipBytes = 0;
  #begun = false;
  #pending: void | Promise<void> = undefined;

  /** Without checksums: somebody else finds out whether the plain bytes are the right ones. */
  constructor(sink: ByteSink, { withChecksums = true } = {}) {
    this.#sink = sink;
    this.#withChecksums = withChecksums;
  }

  update(bytes: Uint8Array): void | Promise<void> {
    return this.#decode(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  }

  /** A stream has no end mark: a cut between two chunks is left to whoever knows the size to find. */
  finish(): void {
    if (!this.#begun) throw objectCorrupt('it has no snappy stream in it');
    if (this.#heldBytes > 0 || this.#skipBytes > 0) throw objectCorrupt('its snappy stream ends within a chunk');
  }

  dispose(): void {}

  #decode(bytes: Buffer): void | Promise<void> {
    let rest = bytes;
    while (rest.length > 0) {
      rest = rest.subarray(this.#take(rest));
      const pending = this.#pending;
      if (pending) {
        this.#pending = undefined;
        return pending.then(() => this.#decode(rest));
      }
    }
    return undefined;
  }

  /** Takes a chunk or a part of one; returns how many bytes that were. */
  #take(bytes: Buffer): number {
    if (this.#skipBytes > 0) return this.#skip(bytes);
    if (this.#heldBytes > 0 || bytes.length < chunkHeaderBytes) return this.#hold(bytes);
    const { type, bodyBytes } = this.#readHeader(bytes);
    const chunkBytes = chunkHeaderBytes + bodyBytes;
    if (isSkippable(type)) {
      this.#skipBytes = chunkBytes;
      return this.#skip(bytes);
    }
    if (bytes.length < chunkBytes) return this.#hold(bytes);
    this.#decodeChunk(type, bytes.subarray(chunkHeaderBytes, chunkBytes));
    return chunkBytes;
  }

  #skip(bytes: Buffer): number {
    const taken = Math.min(bytes.length, this.#skipBytes);
    this.#skipBytes -= taken;
    return taken;
  }

  /** First completes the header, then, knowing the length, the chunk. */
  #hold(bytes: Buffer): number {
    const headerMissing = chunkHeaderBytes - this.#heldBytes;
    if (headerMissing > 0) {
      const taken = this.#append(bytes, headerMissing);
      if (this.#heldBytes === chunkHeaderBytes) this.#endChunkIfWhole();
      return taken;
    }
    const taken = this.#append(bytes, chunkHeaderBytes + this.#held.readUIntLE(1, 3) - this.#heldBytes);
    this.#endChunkIfWhole();
    return taken;
  }

  #append(bytes: Buffer, bytesMax: number): number {
    const taken = bytes.copy(this.#held, this.#heldBytes, 0, Math.min(bytes.length, bytesMax));
    this.#heldBytes += taken;
    return taken;
  }

  #endChunkIfWhole(): void {
    const { type, bodyBytes } = this.#readHeader(this.#held);
    if (isSkippable(type)) {
      this.#skipBytes = bodyBytes;
      this.#heldBytes = 0;
    } else if (this.#heldBytes === chunkHeaderBytes + bodyBytes) {
      this.#decodeChunk(type, this.#held.subarray(chunkHeaderBytes, this.#heldBytes));
      this.#heldBytes = 0;
    }
  }

  #readHeader(bytes: Buffer): { type: number; bodyBytes: number } {
    const type = bytes.readUInt8(0);
    const bodyBytes = bytes.readUIntLE(1, 3);
    if (!this.#begun && type !== chunkType.streamIdentifier) throw objectCorrupt('it does not begin as a snappy stream does');
    if (!isSkippable(type) && bodyBytes > bodyBytesMax(type))
      throw objectCorrupt(`its snappy stream has an impossible chunk of ${bodyBytes} bytes`);
    return { type, bodyBytes };
  }

  #decodeChunk(type: number, body: Buffer): void {
    if (type === chunkType.streamIdentifier) {
      if (!body.equals(identifierBody)) throw objectCorrupt('its snappy stream has a damaged identifier');
      this.#begun = true;
      return;
    }
    if (body.length < checksumBytes) throw objectCorrupt('its snappy stream has a chunk without a checksum');
    const data = body.subarray(checksumBytes);
    const plain = type === chunkType.uncompressed ? data : timed('decompress', () => uncompress(data));
    if (this.#withChecksums && timed('hash', () => maskedChecksum(plain)) !== body.readUInt32LE(0))
      throw objectCorrupt('a chunk of its snappy stream does not match its checksum');
    this.#pending = type === chunkType.uncompressed ? this.#give(plain) : handOver(plain, this.#sink);
  }

  #give(bytes: Buffer): void | Promise<void> {
    return bytes.length === 0 ? undefined : this.#sink(bytes);
  }
}

function isSkippable(type: number): boolean {
  return type >= chunkType.firstSkippable && type !== chunkType.streamIdentifier;
}

function bodyBytesMax(type: number): number {
  if (type === chunkType.streamIdentifier) return identifierBody.length;
  if (type === chunkType.compressed) return checksumBytes + compressedBytesMax;
  if (type === chunkType.uncompressed) return checksumBytes + plainBytesMax;
  throw objectCorrupt(`its snappy stream has a chunk of the unknown type ${type}`);
}

/** With `copyOutputData`, as otherwise the memory is given back only in an event-loop turn. */
function uncompress(data: Buffer): Buffer {
  if (uncompressedBytesOf(data) > plainBytesMax) throw objectCorrupt('its snappy stream has a chunk that says it holds more than 64 KiB');
  try {
    return uncompressSync(data, { copyOutputData: true }) as Buffer;
  } catch (error) {
    throw objectCorrupt('a chunk of its snappy stream cannot be decompressed', error);
  }
}

/** The varint at the start of a block; read before anybody allocates that much. */
function uncompressedBytesOf(data: Buffer): number {
  let bytes = 0;
  for (let i = 0; i < Math.min(data.length, 5); i++) {
    const part = data.readUInt8(i);
    bytes += (part & 0x7f) * 2 ** (7 * i);
    if (part < 0x80) return bytes;
  }
  throw objectCorrupt('a chunk of its snappy stream does not say how much it holds');
}
