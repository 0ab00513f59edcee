import { OperatorError } from '../../lib/errors.ts';

/** One message of the server (PostgreSQL documentation, "Message Formats"). */
export interface Frame {
  /** The first byte of the message. */
  readonly type: number;
  /** What follows the length; valid until the next frame is taken. */
  readonly body: Buffer;
}

/** Sixteen times what a walsender sends at once (128 KiB); with the largest WAL blocks that PostgreSQL can be built with it is 1 MiB. */
export const frameBytesMax = 2 * 1024 * 1024;

/** Type and length; the length counts itself and the body. */
const headerBytes = 5;
const lengthBytesMin = 4;

export interface FrameBufferOptions {
  /** Told of each piece of which nothing is needed any more, neither here nor by who took frames of it. */
  readonly onUsedUp?: (chunk: Buffer) => void;
}

/**
 * Cuts what arrives from the server into frames. A frame that arrived in one piece is not copied.
 * Owns no socket: {@link push} what arrived, {@link take} what is whole.
 */
export class FrameBuffer {
  readonly #onUsedUp: ((chunk: Buffer) => void) | undefined;
  readonly #chunks: Buffer[] = [];
  /** All of it is cut, but whoever took the last frame may still read it. */
  #lastCut: Buffer | undefined;
  /** Collects a frame that is spread over chunks. */
  #assembly: Buffer = Buffer.allocUnsafe(headerBytes);
  #assembled = 0;

  constructor({ onUsedUp }: FrameBufferOptions = {}) {
    this.#onUsedUp = onUsedUp;
  }

  /** How many pieces wait to be cut. */
  get waiting(): number {
    return this.#chunks.length;
  }

  /** The bytes are kept as they are, and must not be changed. */
  push(chunk: Buffer): void {
    if (chunk.length > 0) this.#chunks.push(chunk);
  }

  /** The next whole frame; undefined until more arrives. Throws `postgres-protocol`. */
  take(): Frame | undefined {
    this.#letGo();
    for (let chunk = this.#chunks[0]; chunk !== undefined; chunk = this.#chunks[0]) {
      const frame = this.#takeWhole(chunk) ?? this.#assemble(chunk);
      if (frame) return frame;
    }
    return undefined;
  }

  #takeWhole(chunk: Buffer): Frame | undefined {
    if (this.#assembled > 0 || chunk.length < headerBytes) return undefined;
    const end = frameBytes(chunk);
    if (chunk.length < end) return undefined;
    this.#consume(chunk, end);
    return frameOf(chunk, end);
  }

  #assemble(chunk: Buffer): Frame | undefined {
    const missing = this.#frameBytes() - this.#assembled;
    const copied = chunk.copy(this.#assembly, this.#assembled, 0, missing);
    this.#assembled += copied;
    this.#consume(chunk, copied);
    const end = this.#frameBytes();
    if (this.#assembled < end || this.#assembled < headerBytes) return undefined;
    this.#assembled = 0;
    return frameOf(this.#assembly, end);
  }

  /** How long the frame that is collected will be; as long as that is not known, the header. */
  #frameBytes(): number {
    if (this.#assembled < headerBytes) return headerBytes;
    const bytes = frameBytes(this.#assembly);
    if (bytes > this.#assembly.length) this.#grow(bytes);
    return bytes;
  }

  #grow(bytes: number): void {
    const larger = Buffer.allocUnsafe(bytes);
    this.#assembly.copy(larger, 0, 0, this.#assembled);
    this.#assembly = larger;
  }

  #consume(chunk: Buffer, bytes: number): void {
    if (bytes < chunk.length) {
      this.#chunks[0] = chunk.subarray(bytes);
      return;
    }
    this.#letGo();
    this.#chunks.shift();
    this.#lastCut = chunk;
  }

  #letGo(): void {
    if (this.#lastCut) this.#onUsedUp?.(this.#lastCut);
    this.#lastCut = undefined;
  }
}

function frameBytes(frame: Buffer): number {
  const length = frame.readUInt32BE(1);
  if (length < lengthBytesMin) throw protocolError(`a message of type ${typeName(frame[0])} gives its length as ${length}`);
  const bytes = 1 + length;
  if (bytes > frameBytesMax) throw protocolError(`a message of type ${typeName(frame[0])} claims ${length} bytes, above ${frameBytesMax}`);
  return bytes;
}

function frameOf(bytes: Buffer, end: number): Frame {
  return { type: bytes[0] as number, body: bytes.subarray(headerBytes, end) };
}

/** For messages: a letter where it is one. */
export function typeName(type: number | undefined): string {
  if (type === undefined) return 'none';
  return /[A-Za-z0-9]/.test(String.fromCharCode(type)) ? `"${String.fromCharCode(type)}"` : `0x${type.toString(16).padStart(2, '0')}`;
}

/** What the server sent is not what the protocol has at this point. */
export function protocolError(what: string): OperatorError {
  return new OperatorError('postgres-protocol', `PostgreSQL sent what cannot be understood: ${what}`, {
    hint: 'Is there a server or a proxy in between that is not PostgreSQL?',
  });
}
