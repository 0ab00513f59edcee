import type { Catalog } from '../../catalog/catalog.ts';
import { type SealedWalIndex, walIndexMetadata } from '../../catalog/wal-index/seal-wal-index.ts';
import { isOperatorError, messageOf } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import { sourceOfBytes } from '../../storage/object-source.ts';
import type { UploadQueue } from '../../transfer/upload-queue.ts';

export interface WalIndexStorerDeps {
  readonly site: string;
  readonly catalog: Catalog;
  readonly uploads: Pick<UploadQueue, 'upload'>;
  readonly encryptionKeyId: string | undefined;
  /** Name of this host, for the metadata. */
  readonly host: string;
  readonly log: Log;
  /** Told of each index that is certainly stored. */
  readonly onStored?: ((name: string) => void) | undefined;
  readonly signal: AbortSignal;
}

/** Where the store is slow; an index is some kilobytes. */
const waitingMax = 64;

/** Stores the index of a segment that is itself stored. Nobody waits for it, and nothing fails by it: what is not stored here is made up for later, from the segment. */
export class WalIndexStorer {
  readonly #deps: WalIndexStorerDeps;
  readonly #waiting = new Map<string, Promise<boolean>>();

  constructor(deps: WalIndexStorerDeps) {
    this.#deps = deps;
  }

  /** Returns at once. Where too many wait already, it is left out. */
  add(name: string, index: SealedWalIndex): void {
    if (this.#waiting.size >= waitingMax || this.#deps.signal.aborted) return;
    this.#waiting.set(
      name,
      this.store(name, index).finally(() => this.#waiting.delete(name)),
    );
  }

  isWaiting(name: string): boolean {
    return this.#waiting.has(name);
  }

  /** Resolves to whether the store has it now. Never rejects. */
  async store(name: string, index: SealedWalIndex, signal = this.#deps.signal): Promise<boolean> {
    const isStored = await this.#put(name, { key: this.#deps.catalog.keys.walIndex(name), fileType: 'xlog_index' }, index, signal);
    if (isStored) this.#deps.onStored?.(name);
    return isStored;
  }

  /** What the indexes of many segments tell together. Resolves to whether the store has it now. Never rejects. */
  storeRollup(name: string, rollup: SealedWalIndex, signal = this.#deps.signal): Promise<boolean> {
    return this.#put(name, { key: this.#deps.catalog.keys.walRollup(name), fileType: 'xlog_rollup' }, rollup, signal);
  }

  async #put(
    name: string,
    { key, fileType }: { readonly key: string; readonly fileType: 'xlog_index' | 'xlog_rollup' },
    index: SealedWalIndex,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { site, catalog, uploads, host, encryptionKeyId, log } = this.#deps;
    const target = { site, store: catalog.store, key, fileType };
    const metadata = walIndexMetadata(index, { host, encryptionKeyId });
    try {
      await uploads.upload({ ...target, source: sourceOfBytes(index.sealed), metadata, createOnly: true, isRepeated: false, signal });
      return true;
    } catch (error) {
      if (isOperatorError(error, 'object-exists')) return true;
      if (!signal.aborted) log.debug({ site, wal: name, because: messageOf(error) }, 'the index of WAL is not stored yet');
      return false;
    }
  }

  /** Resolves once nothing waits any more. */
  async settled(): Promise<void> {
    while (this.#waiting.size > 0) await Promise.all(this.#waiting.values());
  }
}
