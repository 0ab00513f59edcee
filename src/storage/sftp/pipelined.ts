import type { ByteRange } from '../object-store.ts';
import type { SftpChannel } from './channel.ts';

/** Bytes on their way at once, of one upload or download; as much as an SSH channel takes without waiting. */
const windowBytes = 2 * 1024 * 1024;
/** Small requests on their way at once. */
const requestsMax = 64;

/** Pieces of an open file in order, ending at the end of the range or of the file, whichever comes first. */
export async function* readPipelined(channel: SftpChannel, handle: Buffer, range: ByteRange): AsyncGenerator<Buffer> {
  const pieceBytes = channel.readBytesMax;
  const piecesMax = Math.min(requestsMax, Math.ceil(windowBytes / pieceBytes));
  const asked: Promise<Buffer>[] = [];
  for (let position = range.start; position < range.end || asked.length > 0; ) {
    while (position < range.end && asked.length < piecesMax) {
      const piece = readFully(channel, handle, position, Math.min(pieceBytes, range.end - position));
      piece.catch(() => {});
      asked.push(piece);
      position += pieceBytes;
    }
    const piece = await asked.shift();
    if (!piece?.length) return;
    yield piece;
  }
}

/** Servers may send less than was asked for. */
async function readFully(channel: SftpChannel, handle: Buffer, position: number, length: number): Promise<Buffer> {
  const first = await channel.read(handle, position, length);
  if (first.length === length || first.length === 0) return first;
  const rest = await readFully(channel, handle, position + first.length, length - first.length);
  return rest.length === 0 ? first : Buffer.concat([first, rest]);
}

/** Writes pieces one after the other from the beginning of a file; resolves once the server has all. The pieces must not change meanwhile. */
export async function writePipelined(
  channel: SftpChannel,
  handle: Buffer,
  pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<void> {
  const window = new WriteWindow();
  let position = 0;
  for await (const piece of pieces) {
    for (const part of inEqualParts(piece, channel.writeBytesMax)) {
      await window.room();
      window.add(channel.write(handle, position, part), part.length);
      position += part.length;
    }
  }
  await window.empty();
}

/** Writes that the server has not acknowledged yet. */
class WriteWindow {
  readonly #writes = new Set<Promise<void>>();
  #bytes = 0;
  #failure: { readonly error: unknown } | undefined;

  add(write: Promise<void>, bytes: number): void {
    this.#bytes += bytes;
    const ended: Promise<void> = write
      .catch((error: unknown) => void (this.#failure ??= { error }))
      .finally(() => {
        this.#bytes -= bytes;
        this.#writes.delete(ended);
      });
    this.#writes.add(ended);
  }

  async room(): Promise<void> {
    while (this.#writes.size >= requestsMax || this.#bytes >= windowBytes) await Promise.race(this.#writes);
    if (this.#failure) throw this.#failure.error;
  }

  async empty(): Promise<void> {
    await Promise.all(this.#writes);
    if (this.#failure) throw this.#failure.error;
  }
}

/** Without a small rest at the end, which would cost as much as the others. */
function inEqualParts(piece: Uint8Array, partBytesMax: number): Buffer[] {
  const whole = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
  const partBytes = Math.ceil(whole.length / Math.ceil(whole.length / partBytesMax));
  const parts: Buffer[] = [];
  for (let at = 0; at < whole.length; at += partBytes) parts.push(whole.subarray(at, at + partBytes));
  return parts;
}
