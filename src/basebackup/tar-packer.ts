import { createHash } from 'node:crypto';
import { closeSync, fstatSync, readSync } from 'node:fs';
import { LentBuffer, lentBytes } from '../codec/lent-buffer.ts';
import { timed } from '../codec/step-times.ts';
import { pageBytes } from '../postgres/page-checksum.ts';
import { encodeTarHeader, type TarMember, tarEnd, tarPaddingOf } from '../tar/header.ts';
import { fileHash, mtimeNsOf } from './delta-file.ts';
import { notAFile, openSource, sourceUnreadable } from './open-source.ts';
import { type PageCheck, PageChecker } from './page-check.ts';
import type { SealedFile } from './sealed-file.ts';
import type { FoundEntry } from './walk.ts';

export interface SkippedFile {
  readonly path: string;
  readonly why: string;
}

/** A file as it is in the archive. */
export interface PackedFile {
  /** Of the member. */
  readonly path: string;
  readonly size: number;
  readonly mtimeNs: number;
  /** Where it was asked for. */
  readonly hexdigest?: string;
}

export interface PackOptions {
  /** List the files in the result. */
  readonly list?: boolean;
  /** In that list, give the hashes of the files of at least so many bytes. */
  readonly hashBytesMin?: number;
  /** Files have the owner, the mode and the time that their entries say, not their own. */
  readonly asGiven?: boolean;
  /** Check the pages of relations. */
  readonly pages?: PageCheck | undefined;
}

/** What became of the files of one archive. */
export interface PackResult {
  readonly filesTaken: number;
  /** Empty unless asked for. */
  readonly files: readonly PackedFile[];
  readonly skipped: readonly SkippedFile[];
  /** Files that became shorter while they were read; the rest was filled with zeros. */
  readonly shrunk: readonly string[];
  /** Pages with wrong checksums; some of each file only. */
  readonly damaged: readonly string[];
}

/**
 * Writes a tar archive into a {@link SealedFile} through one reused buffer.
 *
 * Files of a running cluster change under the reader, and PostgreSQL's own rules say what that means: the WAL that belongs to the backup
 * repairs every page touched meanwhile. A file that vanished is left out, one that grew is cut at the size it had when opened, one
 * that shrank is filled with zeros up to that size.
 */
export class TarPacker implements Disposable {
  readonly #file: SealedFile;
  readonly #options: PackOptions;
  readonly #files: PackedFile[] = [];
  readonly #lent = new LentBuffer();
  readonly #buffer = this.#lent.bytes;
  readonly #skipped: SkippedFile[] = [];
  readonly #shrunk: string[] = [];
  readonly #damaged: string[] = [];
  #used = 0;
  #total = 0;
  #filesTaken = 0;

  constructor(file: SealedFile, options: PackOptions = {}) {
    this.#file = file;
    this.#options = options;
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
    return { filesTaken: this.#filesTaken, files: this.#files, skipped: this.#skipped, shrunk: this.#shrunk, damaged: this.#damaged };
  }

  [Symbol.dispose](): void {
    this.#lent[Symbol.dispose]();
  }

  async #addFile(entry: FoundEntry): Promise<void> {
    const opened = timed('read', () => openSource(entry.source));
    if ('gone' in opened) return this.#skip(entry, opened.gone);
    const { fd } = opened;
    try {
      const stats = timed('read', () => fstatSync(fd));
      if (!stats.isFile()) return this.#skip(entry, notAFile);
      const { size, mode, uid, gid, mtimeMs } = stats;
      const found = this.#options.asGiven ? {} : { mode: mode & 0o7777, uid, gid, mtime: Math.floor(mtimeMs / 1000) };
      await this.#put(encodeTarHeader({ ...entry, ...found, size }));
      const hexdigest = await this.#copy(fd, size, entry);
      await this.#zeros(tarPaddingOf(size));
      if (this.#options.list) this.#files.push({ path: entry.path, size, mtimeNs: mtimeNsOf(mtimeMs), ...(hexdigest && { hexdigest }) });
      this.#filesTaken++;
      this.#file.countFile();
    } finally {
      timed('read', () => closeSync(fd));
    }
  }

  /** Returns the hash of what went into the archive, if it was asked for. */
  async #copy(fd: number, size: number, entry: FoundEntry): Promise<string | undefined> {
    const hash = size >= (this.#options.hashBytesMin ?? Number.POSITIVE_INFINITY) ? createHash(fileHash) : undefined;
    const pages = PageChecker.of(entry.path, fd, this.#options.pages);
    const unitBytes = pages ? pageBytes : 1;
    for (let position = 0; position < size; ) {
      if (lentBytes - this.#used < unitBytes) await this.#flush();
      const wanted = Math.min(size - position, wholeUnits(lentBytes - this.#used, unitBytes));
      const got = this.#read(fd, wanted, position, entry) || this.#fill(wanted, entry);
      if (pages) timed('hash', () => pages.look(this.#buffer.subarray(this.#used, this.#used + got), position));
      if (hash) timed('hash', () => hash.update(this.#buffer.subarray(this.#used, this.#used + got)));
      this.#advance(got);
      position += got;
    }
    if (pages) this.#damaged.push(...pages.damaged);
    return hash?.digest('hex');
  }

  /** In place of what the file no longer has. */
  #fill(bytes: number, { path }: FoundEntry): number {
    if (this.#shrunk.at(-1) !== path) this.#shrunk.push(path);
    this.#buffer.fill(0, this.#used, this.#used + bytes);
    return bytes;
  }

  #read(fd: number, bytes: number, position: number, entry: FoundEntry): number {
    try {
      return timed('read', () => readSync(fd, this.#buffer, this.#used, bytes, position));
    } catch (error) {
      throw sourceUnreadable(entry.source, error);
    }
  }

  async #put(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      if (this.#used === lentBytes) await this.#flush();
      const piece = bytes.subarray(done, done + lentBytes - this.#used);
      this.#buffer.set(piece, this.#used);
      this.#advance(piece.length);
      done += piece.length;
    }
  }

  async #zeros(count: number): Promise<void> {
    for (let left = count; left > 0; ) {
      if (this.#used === lentBytes) await this.#flush();
      const piece = Math.min(left, lentBytes - this.#used);
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

function wholeUnits(bytes: number, unitBytes: number): number {
  return bytes - (bytes % unitBytes);
}
