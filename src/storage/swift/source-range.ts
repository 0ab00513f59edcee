import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { abortable } from '../abortable.ts';
import { cutOut } from '../cut-out.ts';
import { readRange, sourceUnreadable } from '../object-source.ts';
import type { ByteRange, ObjectSource } from '../object-store.ts';
import { sourceSizeWrong } from '../store-errors.ts';
import type { Content } from './http-client.ts';

/** Whether a piece of a source is its last one, which must also be the end of it. */
export interface SourceRange extends ByteRange {
  readonly key: string;
}

/**
 * A part of a source, which can be read again. Rejects while it is read, before a byte too many, where the source has not the size it announced.
 * Of a source without a file everything before the part is read, too; those are small.
 */
export function contentOf(source: ObjectSource, range: SourceRange, signal: AbortSignal | undefined): Content {
  return {
    size: range.end - range.start,
    open: () => abortable(exactly(source, range, piecesIn(source, range)), signal),
  };
}

/** What the store is to compare its bytes with. */
export async function md5Of(content: Content): Promise<string> {
  const hash = createHash('md5');
  for await (const piece of content.open()) hash.update(piece);
  return hash.digest('hex');
}

/** Beyond the end of the source's last part it reads on, so that a source that has grown is noticed. */
function piecesIn(source: ObjectSource, range: ByteRange): AsyncIterable<Uint8Array> {
  const end = range.end === source.size ? Number.POSITIVE_INFINITY : range.end;
  if (source.file === undefined) return cutOut(source.open(), { start: range.start, end });
  return readFileRange(source.file, { start: range.start, end }, source.onProgress);
}

async function* readFileRange(path: string, range: ByteRange, onProgress?: () => void): AsyncGenerator<Uint8Array> {
  try {
    await using file = await open(path, 'r');
    for await (const piece of readRange(file, range)) {
      onProgress?.();
      yield piece;
    }
  } catch (error) {
    throw sourceUnreadable(path, error);
  }
}

async function* exactly(source: ObjectSource, range: SourceRange, pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let position = range.start;
  for await (const piece of pieces) {
    position += piece.length;
    if (position > range.end) throw sourceSizeWrong(range.key, source.size, position);
    yield piece;
  }
  if (position < range.end) throw sourceSizeWrong(range.key, source.size, position);
}
