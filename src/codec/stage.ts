import type { ByteSink } from './codec-options.ts';

/** One step of a pipeline: bytes in, other bytes out into the sink it was made with. */
export interface Stage {
  /** Keeps nothing of `bytes` once it has returned or its promise has resolved. A promise holds the next bytes back. */
  update(bytes: Uint8Array): void | Promise<void>;
  /** Gives out what is left and checks that what came was whole. */
  finish(): void | Promise<void>;
  /** Gives back processes and native memory, also after a failure. Calling it again does nothing. */
  dispose(): void;
}

export type StageMaker = (sink: ByteSink) => Stage;

/**
 * Frees the memory of a buffer that this code made and nobody needs any more, instead of waiting for the garbage collector,
 * which does not see how much memory hangs on it. Buffers that share their memory with others (Node's pool) are left alone.
 */
export function free(bytes: Uint8Array): void {
  if (bytes.byteLength > 0 && bytes.byteLength === bytes.buffer.byteLength) (bytes.buffer as ArrayBuffer).transfer(0);
}

/** Gives bytes that this code made to the sink and frees them afterwards. */
export function handOver(bytes: Uint8Array, sink: ByteSink): void | Promise<void> {
  if (bytes.length === 0) return undefined;
  const pending = sink(bytes);
  if (pending) return pending.finally(() => free(bytes));
  free(bytes);
  return undefined;
}

/** The bytes in pieces of at most `pieceBytesMax`. */
export function* piecesOf(bytes: Uint8Array, pieceBytesMax: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += pieceBytesMax) yield bytes.subarray(at, at + pieceBytesMax);
}
