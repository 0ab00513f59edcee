import { type FileHandle, open } from 'node:fs/promises';
import { OperatorError } from '../lib/errors.ts';
import type { ByteRange, ObjectSource } from './object-store.ts';

/** Bytes read from a file at a time; each piece has a buffer of its own. */
const readBytes = 256 * 1024;

/** A finished, fsynced local file that nobody will write to again. Rejects while read with `source-unreadable` where the file is gone or damaged. */
export function sourceOfFile(path: string, size: number): ObjectSource {
  return { size, file: path, open: () => readWholeFile(path) };
}

/** Bytes at hand, for small objects. They must not change until the put has ended. */
export function sourceOfBytes(bytes: Uint8Array): ObjectSource {
  return {
    size: bytes.length,
    async *open() {
      if (bytes.length > 0) yield bytes;
    },
  };
}

async function* readWholeFile(path: string): AsyncGenerator<Uint8Array> {
  try {
    await using file = await open(path, 'r');
    yield* readRange(file, { start: 0, end: Number.POSITIVE_INFINITY });
  } catch (error) {
    throw sourceUnreadable(path, error);
  }
}

export function sourceUnreadable(path: string, cause: unknown): OperatorError {
  return new OperatorError('source-unreadable', `cannot read ${path}, which was to be stored`, { cause });
}

/** Pieces of an open file in order, ending at the end of the range or of the file, whichever comes first. */
export async function* readRange(file: FileHandle, range: ByteRange): AsyncGenerator<Uint8Array> {
  for (let position = range.start; position < range.end; ) {
    const piece = Buffer.allocUnsafeSlow(Math.min(readBytes, range.end - position));
    const { bytesRead } = await file.read(piece, 0, piece.length, position);
    if (bytesRead === 0) return;
    position += bytesRead;
    yield piece.subarray(0, bytesRead);
  }
}
