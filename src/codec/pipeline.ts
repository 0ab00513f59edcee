import { setImmediate as eventLoopTurn } from 'node:timers/promises';
import type { ByteSink } from './codec-options.ts';
import { piecesOf, type Stage, type StageMaker } from './stage.ts';

/** Larger inputs make larger buffers on the way without being faster. */
const pieceBytesMax = 1024 * 1024;
/** Buffers made by native code are only given back in an event-loop turn, and aborts and timers get through only there. */
const turnEveryBytes = 4 * 1024 * 1024;

/**
 * Stages in a row. Counts what goes in and comes out, takes an event-loop turn every few MiB of either, and after a failure
 * gives everything back and repeats that failure, so that nothing can be finished that did not succeed.
 */
export class Pipeline {
  bytesIn = 0;
  bytesOut = 0;
  readonly #stages: Stage[] = [];
  readonly #first: ByteSink;
  #bytesSinceTurn = 0;
  #failure: { readonly error: unknown } | undefined;

  constructor(makers: readonly StageMaker[], sink: ByteSink) {
    let next: ByteSink = (bytes) => this.#deliver(bytes, sink);
    for (const make of makers.toReversed()) {
      const stage = make(next);
      this.#stages.unshift(stage);
      next = (bytes) => stage.update(bytes);
    }
    this.#first = next;
  }

  update(bytes: Uint8Array): void | Promise<void> {
    this.#throwIfFailed();
    try {
      const pending = bytes.length <= pieceBytesMax ? this.#pass(bytes) : this.#passInPieces(bytes);
      return pending?.catch((error: unknown) => this.#fail(error));
    } catch (error) {
      return this.#fail(error);
    }
  }

  async finish(): Promise<void> {
    this.#throwIfFailed();
    try {
      for (const stage of this.#stages) await stage.finish();
      this.dispose();
    } catch (error) {
      this.#fail(error);
    }
  }

  dispose(): void {
    for (const stage of this.#stages) stage.dispose();
  }

  async #passInPieces(bytes: Uint8Array): Promise<void> {
    for (const piece of piecesOf(bytes, pieceBytesMax)) await this.#pass(piece);
  }

  #pass(bytes: Uint8Array): void | Promise<void> {
    this.bytesIn += bytes.length;
    return this.#thenTurn(this.#first(bytes), bytes.length);
  }

  #deliver(bytes: Uint8Array, sink: ByteSink): void | Promise<void> {
    this.bytesOut += bytes.length;
    return this.#thenTurn(sink(bytes), bytes.length);
  }

  #thenTurn(pending: void | Promise<void>, bytes: number): void | Promise<void> {
    this.#bytesSinceTurn += bytes;
    if (this.#bytesSinceTurn < turnEveryBytes) return pending;
    this.#bytesSinceTurn = 0;
    return pending ? pending.then(() => eventLoopTurn()) : eventLoopTurn();
  }

  #fail(error: unknown): never {
    this.#failure ??= { error };
    this.dispose();
    throw error;
  }

  #throwIfFailed(): void {
    if (this.#failure) throw this.#failure.error;
  }
}
