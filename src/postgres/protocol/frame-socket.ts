import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Clock } from '../../lib/clock.ts';
import { type Frame, FrameBuffer } from './framing.ts';

/** Reading stops when so many pieces (64 KiB at most, 16 KiB with TLS) have arrived that nobody asked for. */
const readAheadMax = 4;

/** Frames from a logged-in socket, which belongs to this object from now on. No faster than they are asked for. */
export class FrameSocket {
  readonly #socket: Duplex;
  readonly #clock: Clock;
  readonly #frames: FrameBuffer;
  /** Why nothing more is to be had: what arrived before is still delivered. */
  #lost: Error | undefined;
  /** Why nothing is delivered any more. */
  #failure: Error | undefined;
  #waiter: { readonly resolve: (frame: Frame) => void; readonly reject: (why: Error) => void } | undefined;
  #closing: Promise<void> | undefined;
  /** Since when the waiter has heard nothing. */
  #silentSinceMs = 0;

  constructor(socket: Duplex, clock: Clock) {
    this.#socket = socket;
    this.#clock = clock;
    this.#frames = new FrameBuffer(socket instanceof Socket ? { onUsedUp: freeMemory } : {});
    socket.on('data', (chunk: Buffer) => this.#hear(chunk));
    socket.on('error', (error) => this.#lose(error));
    socket.on('close', () => this.#lose(new Error('the server closed it')));
    if (socket.destroyed) this.#lose(new Error('the server closed it'));
    socket.resume();
  }

  /** Since when (of the clock's monotonic time) somebody has been waiting without anything having arrived; undefined while nobody waits. */
  get silentSinceMs(): number | undefined {
    return this.#waiter === undefined ? undefined : this.#silentSinceMs;
  }

  /** One at a time. Rejects with `postgres-protocol`, what was given to {@link fail}, or what the socket says. */
  async receive(): Promise<Frame> {
    if (this.#failure) throw this.#failure;
    const frame = this.#frames.take();
    if (frame) return frame;
    if (this.#lost) throw this.#lost;
    this.#silentSinceMs = this.#clock.monotonicMs();
    this.#socket.resume();
    return new Promise((resolve, reject) => (this.#waiter = { resolve, reject }));
  }

  /** Tells when the bytes are with the operating system, or never will be. */
  write(bytes: Buffer, written: () => void): void {
    if (this.#socket.writable) this.#socket.write(bytes, written);
    else written();
  }

  /** Whoever waits or comes later gets `why`. The socket stays open until {@link close}. */
  fail(why: Error): void {
    this.#failure ??= why;
    this.#endWait(why);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Says `farewell` and waits for the server to close, discarding what still comes, but not for longer than `withinMs`. */
  close(farewell: Buffer, withinMs: number): Promise<void> {
    this.#closing ??= this.#close(farewell, withinMs);
    return this.#closing;
  }

  async #close(farewell: Buffer, withinMs: number): Promise<void> {
    this.fail(new Error('it has been closed'));
    if (this.#socket.closed) return;
    const impatience = new AbortController();
    const closed = new Promise<void>((resolve) => this.#socket.once('close', () => resolve()));
    this.#socket.end(farewell);
    this.#socket.resume();
    this.#clock.sleep(withinMs, impatience.signal).then(
      () => this.#socket.destroy(),
      () => {},
    );
    await closed;
    impatience.abort();
  }

  #hear(chunk: Buffer): void {
    if (this.#failure) return;
    this.#frames.push(chunk);
    this.#silentSinceMs = this.#clock.monotonicMs();
    if (this.#waiter) this.#answer();
    else if (this.#frames.waiting >= readAheadMax) this.#socket.pause();
  }

  #answer(): void {
    try {
      const frame = this.#frames.take();
      if (!frame) return;
      this.#waiter?.resolve(frame);
      this.#waiter = undefined;
    } catch (error) {
      this.fail(error as Error);
    }
  }

  #lose(why: Error): void {
    this.#lost ??= why;
    this.#endWait(this.#lost);
  }

  #endWait(why: Error): void {
    this.#waiter?.reject(why);
    this.#waiter = undefined;
  }
}

/**
 * What a network socket delivers is in memory of its own, 64 KiB or less each. Left to the garbage collector, which does not see how much hangs on it, it takes
 * more time to be collected than to be received.
 */
function freeMemory(chunk: Buffer): void {
  const memory = chunk.buffer as ArrayBuffer;
  if (chunk.byteOffset + chunk.byteLength === memory.byteLength) memory.transfer(0);
}
