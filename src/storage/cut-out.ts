import type { ByteRange } from './object-store.ts';

/** The pieces of a stream that lie in a range of it; reads no further than to the end of that. */
export async function* cutOut(pieces: AsyncIterable<Uint8Array>, range: ByteRange): AsyncGenerator<Uint8Array> {
  let position = 0;
  for await (const piece of pieces) {
    const part = piece.subarray(Math.max(0, range.start - position), Math.max(0, range.end - position));
    position += piece.length;
    if (part.length > 0) yield part;
    if (position >= range.end) return;
  }
}
