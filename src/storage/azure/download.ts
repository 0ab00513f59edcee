import type { BlobDownloadResponseParsed, BlockBlobClient } from '@azure/storage-blob';
import type { ByteRange, ObjectBody, ObjectEntry } from '../object-store.ts';
import { bodyCutShort, storeUnreachable } from '../store-errors.ts';
import { entryFrom } from './entry.ts';
import { type Attempt, asStoreError, azureCodeOf } from './errors.ts';

export interface Download {
  readonly blob: BlockBlobClient;
  readonly key: string;
  readonly attempt: Attempt;
  readonly range: ByteRange | undefined;
}

/** Throws what the SDK throws as long as there is no body. */
export async function download({ blob, key, attempt, range }: Download): Promise<ObjectBody> {
  const options = attempt.signal ? { abortSignal: attempt.signal } : {};
  try {
    if (range === undefined || range.end > range.start) {
      const count = range && range.end - range.start;
      // Nothing is asked for again here: the layers do that.
      const answer = await blob.download(range?.start, count, { ...options, maxRetryRequests: 0 });
      // A body that nobody reads may break off all the same.
      answer.readableStreamBody?.on('error', () => {});
      const size = range ? totalIn(answer.contentRange) : answer.contentLength;
      const expected = answer.contentLength;
      if (size === undefined || expected === undefined) throw storeUnreachable(attempt.what, attempt.storeName);
      return { entry: entryFrom(key, answer, size), bytes: piecesOf(answer, { ...attempt, key }, expected) };
    }
  } catch (error) {
    if (azureCodeOf(error) !== 'InvalidRange') throw error;
  }
  return { entry: entryFrom(key, await blob.getProperties(options)), bytes: nothing() };
}

/** The size of the whole, after the slash. */
function totalIn(contentRange: string | undefined): number | undefined {
  const total = /\/(\d+)$/.exec(contentRange ?? '')?.[1];
  return total === undefined ? undefined : Number(total);
}

async function* piecesOf(
  { readableStreamBody: body }: BlobDownloadResponseParsed,
  attempt: Attempt & Pick<ObjectEntry, 'key'>,
  expected: number,
): AsyncGenerator<Uint8Array> {
  let done = 0;
  try {
    for await (const piece of (body ?? []) as AsyncIterable<Buffer>) {
      done += piece.length;
      yield piece;
    }
  } catch (error) {
    throw asStoreError({ ...attempt, what: `read ${attempt.key}` }, error);
  }
  if (done < expected) throw bodyCutShort(attempt.key, attempt.storeName, expected, done);
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
