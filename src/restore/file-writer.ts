import { closeSync, constants, fchmodSync, fchownSync, futimesSync, lstatSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { systemErrorCode } from '../lib/errors.ts';

/** Small pieces are gathered up to this before they are written; larger ones go straight to the file. */
const bufferBytes = 1024 * 1024;
const directWriteBytesMin = 256 * 1024;

export interface FileAttributes {
  /** Permission bits. */
  readonly mode: number;
  /** Seconds since 1970. */
  readonly mtime: number;
  /** Undefined: the owner is that of this process. */
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
}

/**
 * Writes one file after the other, synchronously, through one buffer: for worker threads.
 * A file is always created anew and never through a link; what stood under its name before is replaced if it was a file, else the opening fails with `EEXIST`.
 */
export class FileWriter implements Disposable {
  readonly #buffer = Buffer.allocUnsafeSlow(bufferBytes);
  #filled = 0;
  #fd: number | undefined;
  #path = '';

  /** Where the file lies that is being written, for messages. */
  get path(): string {
    return this.#path;
  }

  open(path: string): void {
    this.#path = path;
    this.#fd = createAnew(path);
    this.#filled = 0;
  }

  write(bytes: Uint8Array): void {
    if (bytes.length > bufferBytes - this.#filled || bytes.length >= directWriteBytesMin) this.#flush();
    if (bytes.length >= directWriteBytesMin) return this.#writeOut(bytes);
    this.#buffer.set(bytes, this.#filled);
    this.#filled += bytes.length;
  }

  /** Writes what is left and sets the attributes. Durability is not its business. */
  close(attributes: FileAttributes): void {
    this.#flush();
    const fd = this.#descriptor();
    if (attributes.owner) fchownSync(fd, attributes.owner.uid, attributes.owner.gid);
    fchmodSync(fd, attributes.mode);
    // Node takes a number below zero for "now".
    const time = attributes.mtime < 0 ? new Date(attributes.mtime * 1000) : attributes.mtime;
    futimesSync(fd, time, time);
    this.#fd = undefined;
    closeSync(fd);
  }

  /** Lets go of a file that was not finished. */
  [Symbol.dispose](): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #flush(): void {
    const bytes = this.#buffer.subarray(0, this.#filled);
    this.#filled = 0;
    this.#writeOut(bytes);
  }

  #writeOut(bytes: Uint8Array): void {
    const fd = this.#descriptor();
    for (let written = 0; written < bytes.length; ) written += writeSync(fd, bytes, written);
  }

  #descriptor(): number {
    if (this.#fd === undefined) throw new Error('no file is open');
    return this.#fd;
  }
}

function createAnew(path: string): number {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  try {
    return openSync(path, flags, 0o600);
  } catch (error) {
    if (systemErrorCode(error) !== 'EEXIST' || !lstatSync(path).isFile()) throw error;
    unlinkSync(path);
    return openSync(path, flags, 0o600);
  }
}
