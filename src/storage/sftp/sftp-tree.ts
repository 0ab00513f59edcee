import { dirname } from 'node:path';
import type { Stats } from 'ssh2';
import { OperatorError } from '../../lib/errors.ts';
import { type ChangeableTree, ifThere, type ListableTree, type TreeEntry, type TreeStats } from '../files/file-tree.ts';
import { sidecarBytesMax, sidecarUnreadable } from '../files/sidecar.ts';
import type { SftpChannel } from './channel.ts';
import { ExaminedFailure, hasStatus, status } from './errors.ts';

/** Pages of a directory asked for at once. */
const pagesAhead = 4;
/** Metadata are a few hundred bytes. */
const sidecarReadBytes = 32 * 1024;

/** Directories and files of the server, as one session sees them. Times are in whole seconds. */
export class SftpTree implements ListableTree, ChangeableTree {
  readonly channel: SftpChannel;
  readonly #storeName: string;

  constructor(channel: SftpChannel, storeName: string) {
    this.channel = channel;
    this.#storeName = storeName;
  }

  /** Otherwise there is a moment without the old file and without the new one. */
  get replacesAtOnce(): boolean {
    return this.channel.has('posix-rename@openssh.com');
  }

  async *entries(directory: string): AsyncGenerator<TreeEntry> {
    const handle = await this.channel.opendir(directory);
    try {
      for await (const page of ahead(() => this.channel.readdir(handle))) {
        for (const { filename, attrs } of page) if (filename !== '.' && filename !== '..') yield entryOf(filename, attrs);
      }
    } finally {
      this.channel.close(handle).catch(() => {});
    }
  }

  async stat(path: string): Promise<TreeStats> {
    return treeStats(await this.channel.stat(path));
  }

  directoryIdentity(path: string): Promise<string> {
    return this.channel.realpath(path);
  }

  isAbsent(error: unknown): boolean {
    return hasStatus(error, status.missing, status.missingPath);
  }

  async readSidecar(path: string): Promise<string | undefined> {
    const handle = await ifThere(this, this.channel.open(path, 'r'));
    if (!handle) return undefined;
    try {
      const reading = this.channel.read(handle, 0, sidecarReadBytes);
      reading.catch(() => {});
      const found = await this.channel.fstat(handle);
      if (!found.isFile() || found.size > sidecarBytesMax)
        throw sidecarUnreadable(path, new Error('it is no file of text, or far too long'));
      const pieces = [await reading];
      for (let at = pieces[0]?.length ?? 0; at < found.size; at += pieces.at(-1)?.length ?? 0) {
        const piece = await this.channel.read(handle, at, sidecarReadBytes);
        if (piece.length === 0) break;
        pieces.push(piece);
      }
      return Buffer.concat(pieces).toString();
    } finally {
      this.channel.close(handle).catch(() => {});
    }
  }

  /** The protocol tells no inode numbers, so this is as near as one can get. */
  async fileIdentity(path: string): Promise<string | undefined> {
    const found = await ifThere(this, this.channel.lstat(path));
    return found && `${found.size}:${found.mtime}:${found.mode}`;
  }

  async rename(from: string, to: string): Promise<void> {
    if (this.replacesAtOnce) return await this.channel.posixRename(from, to);
    await this.remove(to);
    await this.channel.rename(from, to);
  }

  async setAside(path: string, aside: string): Promise<boolean> {
    return (
      (await ifThere(
        this,
        this.channel.rename(path, aside).then(() => true),
      )) ?? false
    );
  }

  /** A link where server and file system know it; else an empty file takes the name first, if nothing has it. */
  async claim(from: string, to: string): Promise<boolean> {
    const linked = await this.#link(from, to);
    if (linked !== undefined) return linked;
    if (!(await this.#createEmpty(to))) return false;
    await this.rename(from, to);
    return true;
  }

  async remove(path: string): Promise<boolean> {
    try {
      return (
        (await ifThere(
          this,
          this.channel.unlink(path).then(() => true),
        )) ?? false
      );
    } catch (error) {
      if (hasStatus(error, status.failure, status.denied) && (await this.stat(path)).isDirectory()) return false;
      throw error;
    }
  }

  /** Of directories with nothing but directories in them nothing is left; others stay, with those above them. */
  async removeEmptyDirectories(path: string, signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    if (!(await ifThere(this, this.stat(path)))?.isDirectory()) return;
    const below: string[] = [];
    for await (const entry of this.entries(path)) if (entry.isDirectory()) below.push(`${path}/${entry.name}`);
    for (const directory of below) await this.removeEmptyDirectories(directory, signal);
    await this.channel.rmdir(path).catch((error: unknown) => {
      if (!hasStatus(error, status.failure, status.missing)) throw error;
    });
  }

  lockOf(path: string): string {
    return `${this.#storeName}\0${path}`;
  }

  /** As far as the server can: OpenSSH lets a directory be opened and flushed like a file. */
  async syncDirectory(path: string): Promise<void> {
    if (!this.channel.has('fsync@openssh.com')) return;
    try {
      const handle = await this.channel.open(path, 'r');
      const synced = this.channel.fsync(handle);
      this.channel.close(handle).catch(() => {});
      await synced;
    } catch (error) {
      if (!hasStatus(error, status.denied, status.failure, status.badMessage, status.unsupported)) throw error;
    }
  }

  /** Servers say no more than "failure" of most things; so it is asked what the file system is like. */
  async examined(error: unknown, directory: string): Promise<unknown> {
    const isClear = !hasStatus(error, status.failure) || error instanceof ExaminedFailure;
    if (isClear || !this.channel.has('statvfs@openssh.com')) return error;
    try {
      return new ExaminedFailure(error as Error, await this.channel.fileSystemState(directory));
    } catch {
      return error;
    }
  }

  /** Makes a directory, and those above it where they are missing, one by one. */
  async makeDirectory(path: string): Promise<void> {
    const isMade = await this.#tryMakeDirectory(path);
    if (isMade === undefined) {
      if (dirname(path) === path || path === '.')
        throw new OperatorError('store-failed', `the directory ${path} of the SFTP server is missing`);
      await this.makeDirectory(dirname(path));
      await this.makeDirectory(path);
    } else if (isMade) await this.syncDirectory(dirname(path));
  }

  /** `false`: it was there already; `undefined`: the one above it is missing. */
  async #tryMakeDirectory(path: string): Promise<boolean | undefined> {
    try {
      await this.channel.mkdir(path);
      return true;
    } catch (error) {
      if (this.isAbsent(error)) return undefined;
      if (!hasStatus(error, status.failure, status.exists, status.denied)) throw error;
      if ((await ifThere(this, this.stat(path)))?.isDirectory()) return false;
      throw error;
    }
  }

  /** `undefined`: links cannot be made here. */
  async #link(from: string, to: string): Promise<boolean | undefined> {
    if (!this.channel.has('hardlink@openssh.com')) return undefined;
    try {
      await this.channel.hardlink(from, to);
      return true;
    } catch (error) {
      if (!hasStatus(error, status.failure, status.exists, status.denied, status.unsupported)) throw error;
      return (await this.fileIdentity(to)) === undefined ? undefined : false;
    }
  }

  async #createEmpty(path: string): Promise<boolean> {
    try {
      await this.channel.close(await this.channel.open(path, 'wx'));
      return true;
    } catch (error) {
      const mayBeThere = hasStatus(error, status.failure, status.exists);
      if (mayBeThere && (await this.fileIdentity(path)) !== undefined) return false;
      throw error;
    }
  }
}

async function* ahead<T>(ask: () => Promise<T | undefined>): AsyncGenerator<T> {
  const asked: Promise<T | undefined>[] = [];
  for (;;) {
    while (asked.length < pagesAhead) {
      const answer = ask();
      answer.catch(() => {});
      asked.push(answer);
    }
    const page = await asked.shift();
    if (page === undefined) return;
    yield page;
  }
}

function entryOf(name: string, attrs: Stats): TreeEntry {
  return {
    name,
    isFile: () => attrs.isFile(),
    isDirectory: () => attrs.isDirectory(),
    isSymbolicLink: () => attrs.isSymbolicLink(),
  };
}

export function treeStats(found: Stats): TreeStats {
  return {
    size: found.size,
    mtime: new Date(found.mtime * 1000),
    isFile: () => found.isFile(),
    isDirectory: () => found.isDirectory(),
  };
}
