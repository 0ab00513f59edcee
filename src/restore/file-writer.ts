import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  ftruncateSync,
  futimesSync,
  lstatSync,
  openSync,
  readSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { systemErrorCode } from '../lib/errors.ts';

/** Small pieces are gathered up to this before they are written; larger ones go straight to the file. */
const bufferBytes = 1024 * 1024;
const directWriteBytesMin = 256 * 1024;
/** What is written anew of a file that is kept where a byte of it differs. */
const comparedBytes = 64 * 1024;

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
 * Never through a link. A file is created anew, and what stood under its name before is replaced if it was a file, else the opening fails with `EEXIST`;
 * or, with {@link openKept}, it is kept and only what differs is written.
 */
export class FileWriter implements Disposable {
  readonly #buffer = Buffer.allocUnsafeSlow(bufferBytes);
  #filled = 0;
  #fd: number | undefined;
  #path = '';
  #position = 0;
  #isKept = false;
  /** Of the open file, where it is known. */
  #mode: number | undefined;
  /** What files get that are created, as the umask makes it. */
  #createdMode: number | undefined;
  /** What the kept file has in the place of what is to be written. */
  readonly #there = Buffer.allocUnsafeSlow(comparedBytes);

  /** Where the file lies that is being written, for messages. */
  get path(): string {
    return this.#path;
  }

  open(path: string): void {
    const fd = createAnew(path);
    this.#begin(path, fd);
    this.#mode = this.#createdMode ??= fstatSync(fd).mode & 0o7777;
  }

  /** As {@link open}; but a file that is there, belongs to this user and has no other name is kept, and only what differs is written. */
  openKept(path: string): void {
    const fd = openOwn(path);
    if (fd === undefined) return this.open(path);
    this.#begin(path, fd);
    this.#isKept = true;
  }

  /** Sets the attributes of a file that {@link openKept} would keep, and leaves its content as it is. False: there is no such file. */
  keep(path: string, attributes: FileAttributes): boolean {
    const fd = openOwn(path);
    if (fd === undefined) return false;
    this.#begin(path, fd);
    this.#isKept = true;
    this.#position = fstatSync(fd).size;
    this.close(attributes);
    return true;
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
    if (this.#isKept && fstatSync(fd).size > this.#position) ftruncateSync(fd, this.#position);
    const owner = attributes.owner ?? (this.#isKept ? ourselves() : undefined);
    if (owner) fchownSync(fd, owner.uid, owner.gid);
    if (attributes.mode !== this.#mode) fchmodSync(fd, attributes.mode);
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

  #begin(path: string, fd: number): void {
    this.#path = path;
    this.#fd = fd;
    this.#filled = 0;
    this.#position = 0;
    this.#isKept = false;
    this.#mode = undefined;
  }

  #flush(): void {
    const bytes = this.#buffer.subarray(0, this.#filled);
    this.#filled = 0;
    this.#writeOut(bytes);
  }

  #writeOut(bytes: Uint8Array): void {
    if (!this.#isKept) return this.#append(bytes);
    for (let at = 0; at < bytes.length; at += comparedBytes) this.#appendIfOther(bytes.subarray(at, at + comparedBytes));
  }

  #append(bytes: Uint8Array): void {
    const fd = this.#descriptor();
    for (let written = 0; written < bytes.length; )
      written += writeSync(fd, bytes, written, bytes.length - written, this.#position + written);
    this.#position += bytes.length;
  }

  /** `bytes`, unless the file has the same in their place. */
  #appendIfOther(bytes: Uint8Array): void {
    const length = readSync(this.#descriptor(), this.#there, 0, bytes.length, this.#position);
    if (this.#there.subarray(0, length).equals(bytes)) this.#position += bytes.length;
    else this.#append(bytes);
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

/** Undefined where there is no file that may be changed in place: none at all, somebody else's, or one that is also known by another name. */
function openOwn(path: string): number | undefined {
  const there = lstatSync(path, { throwIfNoEntry: false });
  const { uid } = ourselves();
  if (!there?.isFile() || there.nlink !== 1 || (uid !== 0 && (there.uid !== uid || (there.mode & 0o600) !== 0o600))) return undefined;
  return openSync(path, constants.O_RDWR | constants.O_NOFOLLOW);
}

function ourselves(): { uid: number; gid: number } {
  return { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
}
