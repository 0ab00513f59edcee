import type { BasebackupEntry } from '../catalog/basebackup-entry.ts';
import type { Catalog } from '../catalog/catalog.ts';
import { readDeltaIndex } from '../catalog/delta-files.ts';
import type { CodecPool } from '../codec/pool.ts';
import type { DigestSet } from '../lib/digest-set.ts';
import { isOperatorError, messageOf } from '../lib/errors.ts';
import type { StorageOptions } from '../storage/options.ts';
import { digestsIn, readDeltaHashes } from './read-delta-hashes.job.ts';

/** How the manifests of backups without an index of ours are read. */
export interface ManifestAccess {
  readonly pool: CodecPool;
  /** For worker threads, which open the store themselves. */
  readonly storage: StorageOptions;
  /** PEM by key id. Those of encrypted manifests may well be missing on a host that takes backups. */
  readonly privateKeys: Readonly<Record<string, string>>;
}

export function isDelta({ format }: Pick<BasebackupEntry, 'format'>): boolean {
  return format?.startsWith('pghoard-delta') ?? false;
}

/** Adds the hashes that a delta backup needs. Returns why they cannot be known, if they cannot; what a store does not answer is thrown. */
export async function addReferences(
  catalog: Catalog,
  entry: BasebackupEntry,
  into: DigestSet,
  options: { readonly manifests?: ManifestAccess | undefined; readonly signal: AbortSignal },
): Promise<string | undefined> {
  const { manifests, signal } = options;
  try {
    if (await readDeltaIndex(catalog, entry.name, (digest) => void into.add(digest), signal)) return undefined;
    if (!manifests) return 'it has no index, and its manifest cannot be read here';
    const { pool, storage, privateKeys } = manifests;
    const main = { storage, key: entry.key, storedBytes: entry.size, privateKeys };
    for (const digest of digestsIn(await pool.run(readDeltaHashes, main, { signal }))) into.add(digest);
    return undefined;
  } catch (error) {
    if (!isOperatorError(error) || error.retryable) throw error;
    return messageOf(error);
  }
}
