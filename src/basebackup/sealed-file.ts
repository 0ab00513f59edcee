import { createHash, type Hash } from 'node:crypto';
import { dirname } from 'node:path';
import type { SealOptions, SealResult } from '../codec/codec-options.ts';
import type { JobContext } from '../codec/job.ts';
import { Sealer } from '../codec/seal.ts';
import { SinkFile } from '../codec/sink-file.ts';
import { timed } from '../codec/step-times.ts';
import { fsyncDirectorySync } from '../lib/atomic-file.ts';

/** So often a job tells how far it is and looks whether it is still wanted. The sealer lets the event loop turn about as often. */
const reportBytes = 4 * 1024 * 1024;

/** What jobs tell the main thread while they run: what was added since the last report. */
export interface CopyReport {
  /** Plaintext. */
  readonly bytes: number;
  readonly files: number;
}

/** A file in the spool that takes plaintext and keeps sealed bytes. For worker threads: it writes synchronously. */
export class SealedFile implements Disposable {
  readonly #file: SinkFile;
  readonly #sealer: Sealer;
  readonly #context: JobContext;
  readonly #sealedHash: Hash | undefined;
  #bytes = 0;
  #files = 0;

  /** `sealedHash`: digest of the sealed bytes to compute on the way, as node:crypto names it. */
  constructor(path: string, seal: SealOptions, context: JobContext, sealedHash?: string) {
    this.#context = context;
    this.#sealedHash = sealedHash === undefined ? undefined : createHash(sealedHash);
    this.#file = new SinkFile(path);
    try {
      this.#sealer = new Sealer(seal, this.#writeSealed);
    } catch (error) {
      this.#file[Symbol.dispose]();
      throw error;
    }
  }

  /** The bytes can be used again once this has resolved. Rejects with the signal's reason when cancelled. */
  async write(bytes: Uint8Array): Promise<void> {
    const wait = this.#sealer.update(bytes);
    if (wait) await wait;
    this.#bytes += bytes.length;
    if (this.#bytes >= reportBytes) this.#report();
  }

  countFile(): void {
    this.#files++;
  }

  /** Resolves once all is durable. */
  async finish(): Promise<SealResult & { readonly sealedHash?: string }> {
    const result = await this.#sealer.finish();
    this.#file.finish();
    fsyncDirectorySync(dirname(this.#file.path));
    this.#report();
    return this.#sealedHash ? { ...result, sealedHash: this.#sealedHash.digest('hex') } : result;
  }

  /** Removes the file unless it was finished. */
  [Symbol.dispose](): void {
    this.#sealer[Symbol.dispose]();
    this.#file[Symbol.dispose]();
  }

  readonly #writeSealed = (bytes: Uint8Array): void => {
    const hash = this.#sealedHash;
    if (hash) timed('hash', () => hash.update(bytes));
    this.#file.write(bytes);
  };

  #report(): void {
    const report: CopyReport = { bytes: this.#bytes, files: this.#files };
    this.#bytes = 0;
    this.#files = 0;
    this.#context.report(report);
    this.#context.signal.throwIfAborted();
  }
}
