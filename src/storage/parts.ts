import { OperatorError } from '../lib/errors.ts';
import { forEachLimited } from '../lib/limiter.ts';
import { type RetryPolicy, retry } from '../lib/retry.ts';
import { abortable } from './abortable.ts';
import type { ObjectSource } from './object-store.ts';
import { sourceSizeWrong } from './store-errors.ts';

/** What a store allows of an upload in parts. Sizes in bytes. */
export interface PartLimits {
  /** What a part has as long as that many suffice; what the operator asked for, or what serves the memory best. */
  readonly partBytes: number;
  readonly partBytesMax: number;
  readonly partsMax: number;
}

/** One part of an upload, in memory while it is sent. */
export interface Part {
  /** Counts from 1. */
  readonly number: number;
  /** Of its first byte in the whole. */
  readonly position: number;
  /** Good until it is sent: the memory is used again. */
  readonly bytes: Buffer;
}

export interface PartUpload {
  readonly key: string;
  readonly partBytes: number;
  /** Parts sent at once; with the one being read, what is held in memory. */
  readonly parallel: number;
  readonly signal?: AbortSignal | undefined;
  readonly retryPolicy?: RetryPolicy;
}

/** A part is small beside the whole: it is worth asking again before the whole upload is begun anew. */
export const partRetryPolicy: RetryPolicy = { attemptsMax: 4, delayMsFirst: 200, delayMsMax: 5_000 };

const mebibyte = 1024 * 1024;

/** Bytes of each part but the last. Rejects what the store cannot hold even in its largest parts with `object-too-large`. */
export function partBytesFor(objectBytes: number, limits: PartLimits, storeName: string): number {
  const needed = Math.ceil(objectBytes / limits.partsMax);
  if (needed > limits.partBytesMax) {
    const most = limits.partBytesMax * limits.partsMax;
    throw new OperatorError('object-too-large', `${storeName} takes objects of up to ${most} bytes, this one has ${objectBytes}`, {
      hint: 'Take base backups in chunks: set basebackup_mode to local-tar.',
    });
  }
  if (needed <= limits.partBytes) return limits.partBytes;
  return Math.min(limits.partBytesMax, Math.ceil(needed / mebibyte) * mebibyte);
}

/**
 * Reads the source once from start to end, cut into parts, and has `send` store them, several at once; a part whose failure is retryable is sent again.
 * Rejects with the first failure once no part is under way any more, and with `store-failed` where the source has not the size it announced.
 */
export async function uploadInParts(
  source: ObjectSource,
  upload: PartUpload,
  send: (part: Part, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const failed = new AbortController();
  const signal = upload.signal ? AbortSignal.any([upload.signal, failed.signal]) : failed.signal;
  const policy = upload.retryPolicy ?? partRetryPolicy;
  // Memory that is used again: to let each part have its own costs as much as hashing it, and the collector comes too late for them.
  const spare: Buffer[] = [];
  const parts = abortable(cutIntoParts(source, upload, spare), signal);
  let cause: unknown;
  try {
    await forEachLimited(parts, upload.parallel, async (part) => {
      try {
        await retry(() => send(part, signal), policy, { signal });
        spare.push(part.bytes);
      } catch (error) {
        cause ??= error;
        failed.abort(error);
        throw error;
      }
    });
  } catch (error) {
    throw upload.signal?.aborted ? upload.signal.reason : (cause ?? error);
  }
}

/** All bytes of a source that is small enough to be sent in one piece. Rejects with `store-failed` where it has not the size it announced. */
export async function wholeSource(source: ObjectSource, key: string, signal: AbortSignal | undefined): Promise<Buffer> {
  for await (const { bytes } of abortable(cutIntoParts(source, { key, partBytes: source.size }), signal)) return bytes;
  return Buffer.alloc(0);
}

/** Takes the memory of parts from `spare` where there is some; the last part, the only shorter one, needs less. */
async function* cutIntoParts(
  source: ObjectSource,
  { key, partBytes }: Pick<PartUpload, 'key' | 'partBytes'>,
  spare: Buffer[] = [],
): AsyncGenerator<Part> {
  let number = 1;
  let position = 0;
  const emptyPart = () => {
    const bytes = Math.min(partBytes, source.size - position);
    return (spare.pop() ?? Buffer.allocUnsafeSlow(bytes)).subarray(0, bytes);
  };
  let part = emptyPart();
  let filled = 0;
  for await (const piece of source.open()) {
    for (let taken = 0; taken < piece.length; ) {
      if (position + filled + (piece.length - taken) > source.size)
        throw sourceSizeWrong(key, source.size, position + filled + piece.length - taken);
      const some = Math.min(piece.length - taken, part.length - filled);
      part.set(piece.subarray(taken, taken + some), filled);
      taken += some;
      filled += some;
      if (filled < part.length || position + filled === source.size) continue;
      yield { number, position, bytes: part };
      number++;
      position += filled;
      part = emptyPart();
      filled = 0;
    }
  }
  if (position + filled !== source.size) throw sourceSizeWrong(key, source.size, position + filled);
  yield { number, position, bytes: part };
}
