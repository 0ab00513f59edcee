import { Condition } from '../../lib/condition.ts';

/** What goes from hand to hand at once, and what a write to a file takes. */
export const pieceBytes = 1024 * 1024;

/**
 * The buffers in which a thread that reads hands bytes to those that seal them. A buffer changes hands (a transfer, nothing is copied) and comes back once it has
 * been used up, so there are never more of them.
 */
export class PieceWindow {
  readonly #signal: AbortSignal;
  readonly #condition = new Condition();
  readonly #free: ArrayBuffer[] = [];
  #unmade: number;
  #spillPiece: Buffer | undefined;

  /** Whoever waits for a piece waits until `signal` at the latest. */
  constructor(pieces: number, signal: AbortSignal) {
    this.#unmade = pieces;
    this.#signal = signal;
  }

  take(): ArrayBuffer | undefined {
    const piece = this.#free.pop();
    if (piece || this.#unmade === 0) return piece;
    this.#unmade--;
    return new ArrayBuffer(pieceBytes);
  }

  give(piece: ArrayBuffer): void {
    this.#free.push(piece);
    this.wake();
  }

  /** So many will not come back: who had them is gone. */
  writeOff(pieces: number): void {
    this.#unmade += pieces;
    this.wake();
  }

  /** One more, which never changes hands. */
  get spillPiece(): Buffer {
    this.#spillPiece ??= Buffer.allocUnsafeSlow(pieceBytes);
    return this.#spillPiece;
  }

  /** Has whoever waits look again. */
  readonly wake = (): void => this.#condition.wake();

  /** What `look` returns, once that is something. Rejects with the signal's reason. */
  until<T>(look: () => T | undefined): Promise<T> {
    return this.#condition.until(look, this.#signal);
  }
}
