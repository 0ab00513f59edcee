import { parseWalMetadata } from '../catalog/wal-entry.ts';
import { containerHeaderBytesMax, opensContainer } from '../codec/encryption-container.ts';
import { defineJob } from '../codec/job.ts';
import { isOperatorError } from '../lib/errors.ts';
import type { ObjectStore } from '../storage/object-store.ts';
import type { StorageOptions } from '../storage/options.ts';
import { borrowStore } from '../storage/shared-store.ts';

export interface OpenedKeysInput {
  /** Keys of objects in the store. */
  readonly objects: readonly string[];
  readonly storage: StorageOptions;
  /** PEM by key id. */
  readonly privateKeys: Readonly<Record<string, string>>;
}

/** Which of the private keys, by their ids, open one of these objects. Reads no more of each than its header. */
export const openedKeys = defineJob(
  import.meta.url,
  'openedKeys',
  async ({ objects, storage, privateKeys }: OpenedKeysInput, { signal }): Promise<readonly string[]> => {
    const store = await borrowStore(storage);
    try {
      const opened = new Set<string>();
      for (const object of objects) {
        const id = await keyThatOpens(object, store, privateKeys, signal);
        if (id !== undefined) opened.add(id);
      }
      return [...opened];
    } finally {
      await store.close();
    }
  },
);

async function keyThatOpens(
  object: string,
  store: ObjectStore,
  privateKeys: OpenedKeysInput['privateKeys'],
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    const { size, metadata } = await store.head(object, { signal });
    const { encryptionKeyId: id } = parseWalMetadata(metadata);
    const privateKey = id !== undefined && Object.hasOwn(privateKeys, id) ? privateKeys[id] : undefined;
    if (privateKey === undefined || size === 0) return undefined;
    const { bytes } = await store.get(object, { range: { start: 0, end: Math.min(size, containerHeaderBytesMax) }, signal });
    const pieces: Buffer[] = [];
    for await (const piece of bytes) pieces.push(Buffer.from(piece));
    return opensContainer(privateKey, Buffer.concat(pieces)) ? id : undefined;
  } catch (error) {
    // One that has gone, or that cannot be read either, proves nothing.
    if (isOperatorError(error) && !error.retryable) return undefined;
    throw error;
  }
}
