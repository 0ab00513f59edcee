import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { OperatorError, systemErrorCode } from '../lib/errors.ts';
import { encodeTarHeader, type TarMember, tarEnd, tarPaddingOf } from '../tar/header.ts';
import type { SealedFile } from './sealed-file.ts';
import type { FoundEntry } from './walk.ts';

const bufferBytes = 1024 * 1024;
/** What a file may have become since the walk saw it; then it counts as dropped. */
const openFailuresOfChange = ['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO'];

export interface SkippedFile {
  readonly path: string;
  readonly why: string;
}

/** What became of the files of one archive. */
export interface PackResult {
  readonly filesTaken: number;
  readonly skipped: readonly SkippedFile[];
  /** Files that became shorter while they were read; the rest was filled with zeros. */
  readonly shrunk: readonly string[];
}

/**
 * Writes a tar archive into a {@link SealedFile} through one reused buffer.
 *
 * Files of a running cluster change under the reader, and PostgreSQL's own rules say what that means: the WAL that belongs to the backup
 * repairs every page touched meanwhile. A file that vanished is left out, one that grew is cut at the size it had when opened, one
 * that shrank is filled with zeros up to that size.
 */
export class TarPacker {
  readonly #file: SealedFile;
  readonly #buffer = Buffer.allocUnsafeSlow(bufferBytes);
  readonly #skipped: SkippedFile[] = [];
  readonly #shrunk: string[] = [];
  #used = 0;
  #total = 0;
  #filesTaken = 0;

  constructor(file: SealedFile) {
    this.#file = file;
  }

  async add(entry: FoundEntry): Promise<void> {
    if (entry.type === 'file') await this.#addFile(entry);
    else await this.#put(encodeTarHeader(entry));
  }

  /** A directory, or a file whose content is at hand. */
  async addContent(member: TarMember, content: Uint8Array = Buffer.alloc(0)): Promise<void> {
    await this.#put(encodeTarHeader({ ...member, size: content.length }));
    await this.#put(content);
    await this.#zeros(tarPaddingOf(content.length));
  }

  /** Ends the archive; the file is not finished yet. */
  async end(): Promise<PackResult> {
    await this.#put(tarEnd(this.#total));
    await this.#flush();
    return { filesTaken: this.#filesTaken, skipped: this.#skipped, shrunk: this.#shrunk };
  }

  async #addFile(entry: FoundEntry): Promise<void> {
    const fd = this.#openOrSkip(entry);
    if (fd === undefined) return;
    try {
      const stats = fstatSync(fd);
      if (!stats.isFile()) return this.#skip(entry, 'it is no longer a file');
      const { size, mode, uid, gid, mtimeMs } = stats;
      await this.#put(encodeTarHeader({ ...entry, size, mode: mode & 0o7777, uid, gid, mtime: Math.floor(mtimeMs / 1000) }));
      await this.#copy(fd, size, entry);
      await this.#zeros(tarPaddingOf(size));
      this.#filesTaken++;
      this.#file.countFile();
    } finally {
      closeSync(fd);
    }
  }

  #openOrSkip(entry: FoundEntry): number | undefined {
    try {
      // Not through a link, and not waiting for the other end where a pipe has taken the file's place.
      return openSync(entry.source, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    } catch (error) {
      if (!openFailuresOfChange.includes(systemErrorCode(error) ?? '')) throw unreadable(entry, error);
      this.#skip(entry, systemErrorCode(error) === 'ENOENT' ? 'it vanished' : 'it is no longer a file');
      return undefined;
    }
  }

  async #copy(fd: number, size: number, entry: FoundEntry): Promise<void> {
    for (let position = 0; position < size; ) {
      if (this.#used === bufferBytes) await this.#flush();
      const wanted = Math.min(size - position, bufferBytes - this.#used);
      const got = this.#read(fd, wanted, position, entry);
      if (got === 0) {
        this.#shrunk.push(entry.path);
        return this.#zeros(size - position);
      }
      this.#advance(got);
      position += got;
    }
  }

  #read(fd: number, bytes: number, position: number, entry: FoundEntry): number {
    try {
      return readSync(fd, this.#buffer, this.#used, bytes, position);
    } catch (error) {
      throw unreadable(entry, error);
    }
  }

  async #put(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      if (this.#used === bufferBytes) await this.#flush();
      const piece = bytes.subarray(done, done + bufferBytes - this.#used);
      this.#buffer.set(piece, this.#used);
      this.#advance(piece.length);
      done += piece.length;
    }
  }

  async #zeros(count: number): Promise<void> {
    for (let left = count; left > 0; ) {
      if (this.#used === bufferBytes) await this.#flush();
      const piece = Math.min(left, bufferBytes - this.#used);
      this.#buffer.fill(0, this.#used, this.#used + piece);
      this.#advance(piece);
      left -= piece;
    }
  }

  #advance(bytes: number): void {
    this.#used += bytes;
    this.#total += bytes;
  }

  async #flush(): Promise<void> {
    await this.#file.write(this.#buffer.subarray(0, this.#used));
    this.#used = 0;
  }

  #skip(entry: FoundEntry, why: string): void {
    this.#skipped.push({ path: entry.source, why });
  }
}

function unreadable(entry: FoundEntry, cause: unknown): OperatorError {
  return new OperatorError('file-unreadable', `cannot read ${entry.source}`, {
    cause,
    hint: 'pghoard must run as the user that owns the data directory (usually postgres). An input/output error means a failing disk.',
  });
}
