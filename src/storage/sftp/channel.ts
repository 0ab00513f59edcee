import type { SFTPWrapper, Stats } from 'ssh2';
import { systemClock } from '../../lib/clock.ts';
import { ConnectionLost, type FileSystemState, hasStatus, status, UnsupportedRequest } from './errors.ts';

type Done<T> = (error: Error | null | undefined, value: T) => void;

interface Pending {
  readonly askedMs: number;
  readonly patienceMs: number;
  readonly reject: (error: Error) => void;
}

/** Flushing what was written to a slow disk takes its time, during which the server answers nothing else on the channel. */
const fsyncMsMax = 15 * 60_000;
/** However busy a server is with other requests, it has forgotten one that is so many times overdue. */
const patiencesMax = 10;
/** What every server must take in one request (SFTP version 3). */
const requestBytesLeast = 32 * 1024;
const requestBytesMost = 256 * 1024;
/** A file system with less room than that has no place for another request. */
const roomBytesLeast = 512 * 1024;
const readOnlyFlag = 1;

/** What ssh2 knows of the server, but tells only in its log. */
interface Known {
  readonly _extensions?: Readonly<Record<string, string>>;
  readonly _maxReadLen?: number;
  readonly _maxWriteLen?: number;
}

/**
 * One SFTP session, with a process of its own on most servers, which answers requests in the order in which they were asked.
 * Every request has a deadline: where the server answers nothing at all for that long, the connection is given up.
 */
export class SftpChannel {
  readonly #sftp: SFTPWrapper;
  readonly #answerMsMax: number;
  readonly #onLost: (error: ConnectionLost) => void;
  readonly #pending = new Set<Pending>();
  #lost: ConnectionLost | undefined;
  #lastAnswerMs = 0;
  #watch: NodeJS.Timeout | undefined;

  constructor(sftp: SFTPWrapper, answerMsMax: number, onLost: (error: ConnectionLost) => void) {
    this.#sftp = sftp;
    this.#answerMsMax = answerMsMax;
    this.#onLost = onLost;
    sftp.on('error', (cause: Error) => this.lose(new ConnectionLost(cause.message, { cause })));
    for (const event of ['end', 'close']) sftp.on(event, () => this.lose(new ConnectionLost('the server closed the SFTP session')));
  }

  has(extension: string): boolean {
    return (this.#sftp as unknown as Known)._extensions?.[extension] !== undefined;
  }

  /** Bytes to ask for, or to send, in one request. */
  get readBytesMax(): number {
    return requestBytes((this.#sftp as unknown as Known)._maxReadLen);
  }

  get writeBytesMax(): number {
    return requestBytes((this.#sftp as unknown as Known)._maxWriteLen);
  }

  open(path: string, flags: 'r' | 'wx'): Promise<Buffer> {
    return this.#ask((sftp, done: Done<Buffer>) => (flags === 'r' ? sftp.open(path, flags, done) : sftp.open(path, flags, 0o600, done)));
  }

  close(handle: Buffer): Promise<void> {
    return this.#ask((sftp, done: Done<void>) => sftp.close(handle, (error) => done(error, undefined)));
  }

  /** Up to `length` bytes; none at the end of the file. */
  read(handle: Buffer, position: number, length: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafeSlow(length);
    return this.#ask((sftp, done: Done<Buffer>) =>
      sftp.read(handle, bytes, 0, length, position, (error, count) => done(error, bytes.subarray(0, count))),
    );
  }

  write(handle: Buffer, position: number, bytes: Buffer): Promise<void> {
    return this.#ask((sftp, done: Done<void>) => sftp.write(handle, bytes, 0, bytes.length, position, (error) => done(error, undefined)));
  }

  fsync(handle: Buffer): Promise<void> {
    return this.#ask((sftp, done: Done<void>) => sftp.ext_openssh_fsync(handle, (error) => done(error, undefined)), fsyncMsMax);
  }

  stat(path: string): Promise<Stats> {
    return this.#ask((sftp, done: Done<Stats>) => sftp.stat(path, done));
  }

  lstat(path: string): Promise<Stats> {
    return this.#ask((sftp, done: Done<Stats>) => sftp.lstat(path, done));
  }

  fstat(handle: Buffer): Promise<Stats> {
    return this.#ask((sftp, done: Done<Stats>) => sftp.fstat(handle, done));
  }

  realpath(path: string): Promise<string> {
    return this.#ask((sftp, done: Done<string>) => sftp.realpath(path, done));
  }

  opendir(path: string): Promise<Buffer> {
    return this.#ask((sftp, done: Done<Buffer>) => sftp.opendir(path, done));
  }

  /** The next names of an open directory, `undefined` after the last. */
  async readdir(handle: Buffer): Promise<readonly { readonly filename: string; readonly attrs: Stats }[] | undefined> {
    try {
      return await this.#ask((sftp, done: Done<{ filename: string; attrs: Stats }[]>) => sftp.readdir(handle, done));
    } catch (error) {
      if (hasStatus(error, status.endOfFile)) return undefined;
      throw error;
    }
  }

  mkdir(path: string): Promise<void> {
    return this.#ask((sftp, done: Done<void>) => sftp.mkdir(path, { mode: 0o700 }, (error) => done(error, undefined)));
  }

  /** Fails where something is in it. */
  rmdir(path: string): Promise<void> {
    return this.#ask((sftp, done: Done<void>) => sftp.rmdir(path, (error) => done(error, undefined)));
  }

  unlink(path: string): Promise<void> {
    return this.#ask((sftp, done: Done<void>) => sftp.unlink(path, (error) => done(error, undefined)));
  }

  /** Fails where something has the new name, on servers that keep to the protocol. */
  rename(from: string, to: string): Promise<void> {
    return this.#ask((sftp, done: Done<void>) => sftp.rename(from, to, (error) => done(error, undefined)));
  }

  posixRename(from: string, to: string): Promise<void> {
    return this.#ask((sftp, done: Done<void>) => sftp.ext_openssh_rename(from, to, (error) => done(error, undefined)));
  }

  hardlink(from: string, to: string): Promise<void> {
    return this.#ask((sftp, done: Done<void>) => sftp.ext_openssh_hardlink(from, to, (error) => done(error, undefined)));
  }

  async fileSystemState(path: string): Promise<FileSystemState> {
    const { f_bavail, f_frsize, f_favail, f_files, f_flag } = await this.#ask((sftp, done: Done<Record<string, number>>) =>
      sftp.ext_openssh_statvfs(path, done),
    );
    const isFull = Number(f_bavail) * Number(f_frsize) < roomBytesLeast || (Number(f_files) > 0 && Number(f_favail) === 0);
    return { isFull, isReadOnly: (Number(f_flag) & readOnlyFlag) !== 0 };
  }

  /** Nothing is answered any more. */
  lose(error: ConnectionLost): void {
    if (this.#lost) return;
    this.#lost = error;
    clearTimeout(this.#watch);
    for (const { reject } of this.#pending) reject(error);
    this.#pending.clear();
    this.#onLost(error);
  }

  #ask<T>(request: (sftp: SFTPWrapper, done: Done<T>) => void, patienceMs = this.#answerMsMax): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#lost) return reject(this.#lost);
      const pending: Pending = { askedMs: systemClock.monotonicMs(), patienceMs, reject };
      this.#pending.add(pending);
      this.#watch ??= this.#lookLater();
      const done: Done<T> = (error, value) => {
        if (!this.#pending.delete(pending)) return;
        this.#lastAnswerMs = systemClock.monotonicMs();
        if (error) reject(asAnswer(error));
        else resolve(value);
      };
      try {
        request(this.#sftp, done);
      } catch (error) {
        this.#pending.delete(pending);
        reject(asRefusal(error));
      }
    });
  }

  #lookLater(): NodeJS.Timeout {
    return setTimeout(() => this.#lookForOverdue(), this.#answerMsMax / 4).unref();
  }

  /** The first of what is pending was asked before the others. */
  #lookForOverdue(): void {
    this.#watch = undefined;
    const [oldest] = this.#pending;
    if (!oldest) return;
    const nowMs = systemClock.monotonicMs();
    const silentMs = nowMs - Math.max(oldest.askedMs, this.#lastAnswerMs);
    if (silentMs > oldest.patienceMs || nowMs - oldest.askedMs > oldest.patienceMs * patiencesMax)
      this.lose(new ConnectionLost(`the server has left a request unanswered for ${Math.round((nowMs - oldest.askedMs) / 1000)} s`));
    else this.#watch = this.#lookLater();
  }
}

function requestBytes(max: number | undefined): number {
  return Math.min(Math.max(max ?? 0, requestBytesLeast), requestBytesMost);
}

/** What ssh2 reports without a status is its own: that there will be no answer. */
function asAnswer(error: Error): Error {
  return typeof (error as { code?: unknown }).code === 'number' ? error : new ConnectionLost(error.message, { cause: error });
}

function asRefusal(error: unknown): unknown {
  const isUnsupported = error instanceof Error && error.message.includes('does not support');
  return isUnsupported ? new UnsupportedRequest(error.message, { cause: error }) : error;
}
