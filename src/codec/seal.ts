import { createHash, type Hash } from 'node:crypto';
import type { ByteSink, CompressionChoice, SealOptions, SealResult } from './codec-options.ts';
import { Encrypter } from './encryption-container.ts';
import { makeLzmaEncoder } from './lzma.ts';
import { Pipeline } from './pipeline.ts';
import { SnappyEncoder } from './snappy-encoder.ts';
import type { Stage } from './stage.ts';
import { timed } from './step-times.ts';
import { ZstdEncoder } from './zstd.ts';

/**
 * Plaintext in, sealed bytes out: compress, then encrypt.
 * Use it with `using` where the codec may be lzma: what a failure outside of it leaves behind is a child process.
 */
export class Sealer implements Disposable {
  readonly #pipeline: Pipeline;
  readonly #hash: Hash | undefined;

  /** Throws `key-invalid` or `compression-level-invalid`. */
  constructor(options: SealOptions, sink: ByteSink) {
    const { compression, publicKey, plainHash } = options;
    this.#hash = plainHash === undefined ? undefined : createHash(plainHash);
    const encrypt = publicKey === undefined ? [] : [(next: ByteSink) => new Encrypter(publicKey, next)];
    this.#pipeline = new Pipeline([(next) => makeEncoder(compression, next), ...encrypt], sink);
  }

  /** Keeps nothing of `chunk` after it returned or resolved; wait for the promise where there is one. */
  update(chunk: Uint8Array): void | Promise<void> {
    const hash = this.#hash;
    if (hash) timed('hash', () => hash.update(chunk));
    return this.#pipeline.update(chunk);
  }

  async finish(): Promise<SealResult> {
    await this.#pipeline.finish();
    return {
      plainBytes: this.#pipeline.bytesIn,
      sealedBytes: this.#pipeline.bytesOut,
      ...(this.#hash && { plainHash: this.#hash.digest('hex') }),
    };
  }

  [Symbol.dispose](): void {
    this.#pipeline.dispose();
  }
}

function makeEncoder(compression: CompressionChoice, sink: ByteSink): Stage {
  switch (compression.algorithm) {
    case 'snappy':
      return new SnappyEncoder(sink);
    case 'zstd':
      return new ZstdEncoder(compression.level, sink);
    case 'lzma':
      return makeLzmaEncoder(compression, sink);
  }
}
