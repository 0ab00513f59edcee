import { closeSync, fstatSync, fsyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { OperatorError, systemErrorCode } from '../lib/errors.ts';
import { timed } from './step-times.ts';

const fullDiskCodes = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

/**
 * A new file written by a worker thread, synchronously. Replaces what is there; readable by its owner only.
 * Until `finish` it counts as unfinished: disposing of it then removes it.
 * Throws `disk-full` (retryable) or `file-unwritable`, naming the path.
 */
export class SinkFile implements Disposable {
  readonly path: string;
  readonly #fd: number;
  #open = true;
  #bytes = 0;

  constructor(path: string) {
    this.path = path;
    this.#fd = this.#try(() => openSync(path, 'w', 0o600));
  }

  /** Bytes written so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Can be given away as a sink. */
  readonly write = (bytes: Uint8Array): void => {
    timed('write', () => this.#writeAll(bytes));
    this.#bytes += bytes.length;
  };

  /** Makes the bytes durable, unless told otherwise; the name is made durable by whoever gives the file its final place. */
  finish(isDurable = true): void {
    if (isDurable) timed('fsync', () => this.#try(() => fsyncSync(this.#fd)));
    this.#open = false;
    this.#try(() => closeSync(this.#fd));
  }

  [Symbol.dispose](): void {
    if (!this.#open) return;
    this.#open = false;
    const isFile = fstatSync(this.#fd).isFile();
    closeSync(this.#fd);
    // A device or a pipe was not made here.
    if (isFile) rmSync(this.path, { force: true });
  }

  #writeAll(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) at += this.#try(() => writeSync(this.#fd, bytes, at));
  }

  #try<T>(act: () => T): T {
    try {
      return act();
    } catch (error) {
      throw cannotWrite(this.path, error);
    }
  }
}

/** The error for a file that could not be written: `disk-full`, which passes when somebody makes room, or `file-unwritable`. */
export function cannotWrite(path: string, cause: unknown): OperatorError {
  if (fullDiskCodes.has(systemErrorCode(cause) ?? '')) {
    return new OperatorError('disk-full', `there is no room to write ${path}`, {
      cause,
      retryable: true,
      hint: 'Make room on that file system.',
    });
  }
  return new OperatorError('file-unwritable', `cannot write ${path}`, { cause });
}
