import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { cannotWrite } from '../../codec/sink-file.ts';
import { fsyncDirectory, publishFile } from '../../lib/atomic-file.ts';
import { isOperatorError } from '../../lib/errors.ts';
import type { Lsn } from '../../postgres/lsn.ts';
import { walNameOf } from '../../postgres/wal-name.ts';
import { freeBytesOf, noRoom, roomForSegment } from './disk-guard.ts';

export interface SegmentWriterOptions {
  readonly directory: string;
  readonly timeline: number;
  readonly segmentBytes: number;
  /** Where the first byte will come from: the start of a segment. */
  readonly startLsn: Lsn;
}

/** A server that has much to send does so in pieces of 128 KiB, each of which would cost a trip to the thread pool. */
const collectedBytesMax = 1 << 20;

/**
 * Writes streamed WAL as pg_receivewal does, so that either can go on after the other: `NAME.partial`, as long as the segment from the start, gets its
 * name once it is whole and fsynced. What an earlier life wrote into it is overwritten in place, never emptied: it may be all that is left of it.
 *
 * Throws `disk-full` (retryable) or `file-unwritable`.
 */
export class SegmentWriter implements AsyncDisposable {
  readonly #options: SegmentWriterOptions;
  /** What is still to be written is the first {@link #collected} bytes. */
  readonly #buffer = Buffer.allocUnsafe(collectedBytesMax);
  #collected = 0;
  #file: FileHandle | undefined;
  #written: Lsn;
  #flushed: Lsn;

  constructor(options: SegmentWriterOptions) {
    this.#options = options;
    this.#written = options.startLsn;
    this.#flushed = options.startLsn;
  }

  /** Up to where bytes have been written. */
  get written(): Lsn {
    return this.#written;
  }

  /** Up to where they are durable. */
  get flushed(): Lsn {
    return this.#flushed;
  }

  /** The segment behind what has been written. */
  get segment(): string {
    const { timeline, segmentBytes } = this.#options;
    return walNameOf(this.#written, timeline, segmentBytes);
  }

  /** Appends, at the latest with the next {@link flush} or at the end; `bytes` may reach over the ends of segments, and may change afterwards. */
  async append(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const piece = bytes.subarray(at, at + this.#buffer.length - this.#collected);
      this.#buffer.set(piece, this.#collected);
      this.#collected += piece.length;
      at += piece.length;
      if (this.#collected === this.#buffer.length) await this.#write();
    }
  }

  async #write(): Promise<void> {
    const { segmentBytes } = this.#options;
    const bytes = this.#buffer.subarray(0, this.#collected);
    this.#collected = 0;
    for (let at = 0; at < bytes.length; ) {
      const offset = Number(this.#written % BigInt(segmentBytes));
      const piece = bytes.subarray(at, at + segmentBytes - offset);
      await this.#try(async () => {
        this.#file ??= await this.#open();
        await writeAll(this.#file, piece, offset);
      });
      at += piece.length;
      this.#written += BigInt(piece.length);
      if (offset + piece.length === segmentBytes) await this.#try(() => this.#finish());
    }
  }

  /** Makes durable what has been appended. */
  async flush(): Promise<void> {
    await this.#write();
    if (this.#flushed === this.#written) return;
    await this.#try(async () => this.#file?.datasync());
    this.#flushed = this.#written;
  }

  /** The server may be lost, so that this is all that is left of its WAL. What cannot be written any more has failed, or is going to fail, elsewhere. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#write().catch(() => {});
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }

  get #path(): string {
    return join(this.#options.directory, this.segment);
  }

  /** Its length is durable from the start, so that later on only data have to be. */
  async #open(): Promise<FileHandle> {
    const { directory, segmentBytes } = this.#options;
    const free = await freeBytesOf(directory);
    if (free < roomForSegment(segmentBytes)) throw noRoom(directory, free);
    const file = await open(`${this.#path}.partial`, constants.O_RDWR | constants.O_CREAT, 0o600);
    try {
      await file.truncate(segmentBytes);
      await file.sync();
      await fsyncDirectory(directory);
      return file;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async #finish(): Promise<void> {
    const { directory, timeline, segmentBytes } = this.#options;
    const path = join(directory, walNameOf(this.#written - 1n, timeline, segmentBytes));
    const file = this.#file;
    await file?.sync();
    this.#file = undefined;
    await file?.close();
    await publishFile(`${path}.partial`, path);
    this.#flushed = this.#written;
  }

  async #try<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw isOperatorError(error) ? error : cannotWrite(this.#options.directory, error);
    }
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, at, bytes.length - at, position + at);
    at += bytesWritten;
  }
}
