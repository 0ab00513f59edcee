import { closeSync, openSync, readSync } from 'node:fs';
import { OperatorError } from '../lib/errors.ts';
import type { ByteSink, SealOptions, SealResult, UnsealOptions, UnsealResult } from './codec-options.ts';
import { LentBuffer } from './lent-buffer.ts';
import { Sealer } from './seal.ts';
import { SinkFile } from './sink-file.ts';
import { timed } from './step-times.ts';
import { Unsealer } from './unseal.ts';

export interface FileWorkOptions {
  readonly signal?: AbortSignal | undefined;
  /** Gets how many bytes of the source have been worked through. */
  readonly onBytes?: ((bytesRead: number) => void) | undefined;
  /** False: the new file is not fsynced. Default: true. */
  readonly isDurable?: boolean;
}

/**
 * Seals the file `from` into the new file `to`, fsynced, for use in a worker: reads and writes are synchronous.
 * On failure or abort `to` is removed. Rejects with `file-unreadable`, `file-unwritable`, `disk-full`, or as {@link Sealer} does.
 */
export async function sealFile(from: string, to: string, seal: SealOptions, options: FileWorkOptions = {}): Promise<SealResult> {
  using file = new SinkFile(to);
  using sealer = new Sealer(seal, file.write);
  await readInto(from, (bytes) => sealer.update(bytes), options);
  const result = await sealer.finish();
  file.finish();
  return result;
}

/** The reverse of {@link sealFile}. `to` is there only if all of `from` was whole. */
export async function unsealFile(from: string, to: string, unseal: UnsealOptions, options: FileWorkOptions = {}): Promise<UnsealResult> {
  using file = new SinkFile(to);
  using unsealer = new Unsealer(unseal, file.write);
  await readInto(from, (bytes) => unsealer.update(bytes), options);
  const result = await unsealer.finish();
  file.finish(options.isDurable);
  return result;
}

/** Gives all bytes of a file to the sink, 1 MiB at a time from one reused buffer. */
async function readInto(path: string, sink: ByteSink, { signal, onBytes }: FileWorkOptions): Promise<void> {
  using lent = new LentBuffer();
  const fd = orUnreadable(path, () => openSync(path, 'r'));
  try {
    let bytesRead = 0;
    for (;;) {
      signal?.throwIfAborted();
      const count = timed('read', () => orUnreadable(path, () => readSync(fd, lent.bytes)));
      if (count === 0) return;
      bytesRead += count;
      const pending = sink(lent.bytes.subarray(0, count));
      if (pending) await pending;
      onBytes?.(bytesRead);
    }
  } finally {
    closeSync(fd);
  }
}

function orUnreadable<T>(path: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw new OperatorError('file-unreadable', `cannot read ${path}`, { cause: error });
  }
}
