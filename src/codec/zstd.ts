import assert from 'node:assert';
import { constants, createZstdCompress, createZstdDecompress } from 'node:zlib';
import { OperatorError } from '../lib/errors.ts';
import type { ByteSink } from './codec-options.ts';
import { LentBuffer } from './lent-buffer.ts';
import { levelInvalid } from './level-invalid.ts';
import { objectCorrupt } from './object-corrupt.ts';
import type { Stage } from './stage.ts';
import { type Step, timed } from './step-times.ts';
import { ZstdFrames } from './zstd-frames.ts';

/** What level 0 stands for. */
const levelDefault = 3;
const levelMin = -131_072;
const levelMax = 22;
/** Node takes -1 for "not given" and would use the default. */
const levelBelowMinusOne = -2;
/** Above twice the 128 KiB of a block: what the end of a frame flushes never fills it. */
const outputBytes = 512 * 1024;
const nothing = Buffer.alloc(0);

/** Plain bytes in, exactly one frame out, as readers that are in use stop after the first: with a checksum of the content, by which a changed bit is found, and without its size. */
export class ZstdEncoder implements Stage {
  readonly #native: ZstdNative;
  readonly #sink: ByteSink;

  constructor(level: number, sink: ByteSink) {
    const params = {
      [constants.ZSTD_c_compressionLevel]: usableLevel(level),
      [constants.ZSTD_c_contentSizeFlag]: 0,
      [constants.ZSTD_c_checksumFlag]: 1,
    };
    this.#native = new ZstdNative(createZstdCompress({ params }), 'compress');
    this.#sink = sink;
  }

  update(bytes: Uint8Array): void | Promise<void> {
    return this.#native.run(bytes, this.#sink);
  }

  finish(): void | Promise<void> {
    const last = this.#native.step(constants.ZSTD_e_end, nothing);
    assert(!last.full, 'the end of a zstd frame fits into the output buffer: calling again would begin a second frame');
    return this.#sink(last.output);
  }

  dispose(): void {
    this.#native.close();
  }
}

/** Frames in, plain bytes out: any number of frames, with skippable ones between them. */
export class ZstdDecoder implements Stage {
  readonly #native = new ZstdNative(createZstdDecompress(), 'decompress');
  readonly #frames = new ZstdFrames();
  readonly #sink: ByteSink;

  constructor(sink: ByteSink) {
    this.#sink = sink;
  }

  update(bytes: Uint8Array): void | Promise<void> {
    this.#frames.follow(bytes);
    return this.#native.run(bytes, this.#sink);
  }

  finish(): void {
    this.#frames.checkEnd();
  }

  dispose(): void {
    this.#native.close();
  }
}

/** Of the zlib streams of Node: what they call underneath. */
interface ZlibInternals {
  readonly _handle?: {
    writeSync(
      flush: number,
      input: Uint8Array,
      from: number,
      bytes: number,
      output: Uint8Array,
      outputFrom: number,
      outputBytes: number,
    ): void;
  } | null;
  /** Room left in the output, bytes left in the input. */
  readonly _writeState?: Uint32Array;
}

/**
 * Runs a zstd stream of node:zlib synchronously with an output buffer of our own.
 *
 * The stream itself would do its work in the four threads that all file and name look-ups of the process wait for, ends a frame twice when a
 * write is queued before its end (nodejs/node#66078), and stops without an error after the first of several frames (nodejs/node#64741).
 */
class ZstdNative {
  readonly #stream: (ReturnType<typeof createZstdCompress> | ReturnType<typeof createZstdDecompress>) & ZlibInternals;
  readonly #lent = new LentBuffer();
  readonly #output = this.#lent.bytes.subarray(0, outputBytes);
  readonly #step: Step;

  constructor(stream: ReturnType<typeof createZstdCompress> | ReturnType<typeof createZstdDecompress>, step: Step) {
    this.#stream = stream;
    this.#step = step;
    stream.on('error', () => {});
    if (typeof this.#stream._handle?.writeSync !== 'function' || !(this.#stream._writeState instanceof Uint32Array)) {
      throw new OperatorError('zstd-unsupported', `zstd cannot be used with Node ${process.version}`, {
        hint: 'Run pghoard with Node 22 or 24.',
      });
    }
  }

  /** Passes all of the input through, giving out what comes. */
  run(input: Uint8Array, sink: ByteSink): void | Promise<void> {
    return input.length === 0 ? undefined : this.#run(input, sink);
  }

  /** One call of zstd. `output` is valid until the next one. */
  step(flush: number, input: Uint8Array): { output: Buffer; full: boolean; taken: number } {
    const { _handle, _writeState } = this.#stream;
    assert(_handle && _writeState, 'a zstd stream is not used after it was closed');
    timed(this.#step, () => _handle.writeSync(flush, input, 0, input.length, this.#output, 0, outputBytes));
    if (this.#stream.errored) throw objectCorrupt('its zstd stream cannot be decompressed', this.#stream.errored);
    const [room = 0, left = 0] = _writeState;
    return { output: this.#output.subarray(0, outputBytes - room), full: room === 0, taken: input.length - left };
  }

  close(): void {
    this.#stream.destroy();
    this.#lent[Symbol.dispose]();
  }

  #run(input: Uint8Array, sink: ByteSink): void | Promise<void> {
    for (let rest = input; ; ) {
      const { output, full, taken } = this.step(constants.ZSTD_e_continue, rest);
      const left = rest.subarray(taken);
      const pending = output.length === 0 ? undefined : sink(output);
      if (left.length === 0 && !full) return pending;
      if (pending) return pending.then(() => this.#run(left, sink));
      rest = left;
    }
  }
}

function usableLevel(level: number): number {
  if (level === 0) return levelDefault;
  if (level === -1) return levelBelowMinusOne;
  if (!Number.isInteger(level) || level < levelMin || level > levelMax) throw levelInvalid('zstd', level, `${levelMin} to ${levelMax}`);
  return level;
}
