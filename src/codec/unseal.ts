import { createHash, type Hash } from 'node:crypto';
import type { ByteSink, CompressionAlgorithm, UnsealOptions, UnsealResult } from './codec-options.ts';
import { Decrypter } from './encryption-container.ts';
import { makeLzmaDecoder } from './lzma.ts';
import { Pipeline } from './pipeline.ts';
import { SnappyDecoder } from './snappy-decoder.ts';
import type { Stage, StageMaker } from './stage.ts';
import { ZstdDecoder } from './zstd.ts';

/**
 * Sealed bytes in, plaintext out: decrypt, then decompress.
 *
 * Plaintext is given out before the end has been checked, so only what a resolved `finish` stands behind may be used.
 * Damage of any kind rejects with `object-corrupt`, a private key that does not fit with `key-wrong`.
 * Use it with `using` where the codec may be lzma: what a failure outside of it leaves behind is a child process.
 */
export class Unsealer implements Disposable {
  readonly #pipeline: Pipeline;
  readonly #hash: Hash | undefined;
  readonly #encrypted: boolean;
  #plainBytes = 0;

  /** Throws `key-invalid`. */
  constructor(options: UnsealOptions, sink: ByteSink) {
    const { compression, privateKey, plainHash, isHashCompared = false } = options;
    const makers: StageMaker[] = [];
    if (privateKey !== undefined) makers.push((next) => new Decrypter(privateKey, next));
    if (compression !== undefined) makers.push((next) => makeDecoder(compression, next, !isHashCompared));
    this.#encrypted = privateKey !== undefined;
    this.#hash = plainHash === undefined ? undefined : createHash(plainHash);
    this.#pipeline = new Pipeline(makers, (bytes) => {
      this.#plainBytes += bytes.length;
      this.#hash?.update(bytes);
      return sink(bytes);
    });
  }

  update(chunk: Uint8Array): void | Promise<void> {
    return this.#pipeline.update(chunk);
  }

  async finish(): Promise<UnsealResult> {
    if (this.#isEmptyContainer()) this.#pipeline.dispose();
    else await this.#pipeline.finish();
    return {
      plainBytes: this.#plainBytes,
      sealedBytes: this.#pipeline.bytesIn,
      ...(this.#hash && { plainHash: this.#hash.digest('hex') }),
    };
  }

  [Symbol.dispose](): void {
    this.#pipeline.dispose();
  }

  /** Nothing at all is how nothing is encrypted; there is no compressed stream in it that could be whole or not. */
  #isEmptyContainer(): boolean {
    return this.#encrypted && this.#pipeline.bytesIn === 0;
  }
}

function makeDecoder(algorithm: CompressionAlgorithm, sink: ByteSink, withChecksums: boolean): Stage {
  switch (algorithm) {
    case 'snappy':
      return new SnappyDecoder(sink, { withChecksums });
    case 'zstd':
      return new ZstdDecoder(sink);
    case 'lzma':
      return makeLzmaDecoder(sink);
  }
}
