import type { MessagePort } from 'node:worker_threads';
import { SinkFile } from '../../codec/sink-file.ts';
import { type PieceWindow, pieceBytes } from './piece-window.ts';

/** What a chunk is made of, told to the job that seals it. */
export type ChunkPiece =
  | { readonly kind: 'bytes'; readonly buffer: ArrayBuffer; readonly bytes: number }
  /** The next so many bytes of the file in which lies what came faster than it could be sealed. */
  | { readonly kind: 'spilled'; readonly bytes: number }
  | { readonly kind: 'end' };

export interface ChunkFeedOptions {
  readonly port: MessagePort;
  /** Path of the file for what comes too fast; it is removed by who reads it. */
  readonly spill: string;
  readonly window: PieceWindow;
  /** Whether it pays to get ahead of the sealing by way of the disk: only where somebody else waits for the chunk that comes next. */
  readonly mayRunAhead: () => boolean;
}

/**
 * Hands the bytes of one chunk to the job that seals it, in buffers of the window. Where none is left, the bytes go through a file as long as another job has
 * nothing to do: so all of them are kept busy by one stream. Otherwise the stream waits.
 */
export class ChunkFeed {
  readonly #options: ChunkFeedOptions;
  #piece: Buffer | undefined;
  #isSpilling = false;
  #used = 0;
  #lent = 0;
  #spill: SinkFile | undefined;

  constructor(options: ChunkFeedOptions) {
    this.#options = options;
    const { port, window } = options;
    port.on('message', (buffer: ArrayBuffer) => {
      this.#lent--;
      window.give(buffer);
    });
    port.on('close', () => window.writeOff(this.#lent));
  }

  /** The bytes can be used again once it has returned or resolved. */
  write(bytes: Uint8Array): void | Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const piece = (this.#piece ??= this.#nextPiece());
      if (!piece) return this.#writeLater(bytes.subarray(at));
      const taken = bytes.subarray(at, at + pieceBytes - this.#used);
      piece.set(taken, this.#used);
      this.#used += taken.length;
      at += taken.length;
      if (this.#used === pieceBytes) this.#send(piece);
    }
    return undefined;
  }

  async #writeLater(bytes: Uint8Array): Promise<void> {
    this.#piece = await this.#options.window.until(() => this.#nextPiece());
    await this.write(bytes);
  }

  end(): void {
    if (this.#piece && this.#used > 0) this.#send(this.#piece);
    this.#spill?.finish(false);
    this.#tell({ kind: 'end' });
  }

  #nextPiece(): Buffer | undefined {
    const { window, mayRunAhead } = this.#options;
    const buffer = window.take();
    this.#isSpilling = buffer === undefined;
    if (buffer) return Buffer.from(buffer);
    return mayRunAhead() ? window.spillPiece : undefined;
  }

  #send(piece: Buffer): void {
    const bytes = this.#used;
    if (this.#isSpilling) {
      this.#spill ??= new SinkFile(this.#options.spill);
      this.#spill.write(piece.subarray(0, bytes));
      this.#tell({ kind: 'spilled', bytes });
    } else {
      this.#lent++;
      const buffer = piece.buffer as ArrayBuffer;
      this.#tell({ kind: 'bytes', buffer, bytes }, [buffer]);
    }
    this.#piece = undefined;
    this.#used = 0;
  }

  #tell(piece: ChunkPiece, transfer: readonly ArrayBuffer[] = []): void {
    this.#options.port.postMessage(piece, transfer);
  }
}
