import { closeSync, openSync, readSync, rmSync } from 'node:fs';
import type { MessagePort } from 'node:worker_threads';
import type { SealOptions, SealResult } from '../../codec/codec-options.ts';
import { defineJob } from '../../codec/job.ts';
import { OperatorError } from '../../lib/errors.ts';
import { SealedFile } from '../sealed-file.ts';
import type { ChunkPiece } from './chunk-feed.ts';
import { pieceBytes } from './piece-window.ts';
import { PortReader } from './port-reader.ts';

export interface PiecesInput {
  /** Pieces come from it, and their buffers go back. */
  readonly port: MessagePort;
  readonly spill: string;
  readonly target: string;
  readonly seal: SealOptions;
}

export interface SealedPieces extends SealResult {
  /** Of the sealed bytes, hex. */
  readonly sealedSha256: string;
}

/** A chunk that another job reads → sealed, durable file in the spool. */
export const sealPieces = defineJob(
  import.meta.url,
  'sealPieces',
  async (input: PiecesInput, { signal, report }): Promise<SealedPieces> => {
    using pieces = new PortReader<ChunkPiece>(input.port, signal);
    using file = new SealedFile(input.target, input.seal, { signal, report }, 'sha256');
    using spill = new SpillFile(input.spill);
    for (;;) {
      const piece = await pieces.next();
      if (piece === null) throw new OperatorError('worker-died', 'who reads the base backup is gone', { retryable: true });
      if (piece.kind === 'end') break;
      if (piece.kind === 'spilled') await file.write(spill.read(piece.bytes));
      else {
        await file.write(new Uint8Array(piece.buffer, 0, piece.bytes));
        input.port.postMessage(piece.buffer, [piece.buffer]);
      }
    }
    const { sealedHash: sealedSha256 = '', ...sealed } = await file.finish();
    return { ...sealed, sealedSha256 };
  },
);

/** Read while it is written, never beyond what is known to be there. Disposing removes it. */
class SpillFile implements Disposable {
  readonly #path: string;
  #fd: number | undefined;
  #buffer: Buffer | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** The next bytes, at most a piece. They are only lent. */
  read(bytes: number): Uint8Array {
    this.#fd ??= openSync(this.#path, 'r');
    this.#buffer ??= Buffer.allocUnsafeSlow(pieceBytes);
    for (let got = 0; got < bytes; ) {
      const more = readSync(this.#fd, this.#buffer, got, bytes - got, null);
      if (more === 0) throw new OperatorError('file-unreadable', `${this.#path} is shorter than what was written to it`);
      got += more;
    }
    return this.#buffer.subarray(0, bytes);
  }

  [Symbol.dispose](): void {
    if (this.#fd === undefined) return;
    closeSync(this.#fd);
    rmSync(this.#path, { force: true });
  }
}
