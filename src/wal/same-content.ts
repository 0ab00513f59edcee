import { rm } from 'node:fs/promises';
import { parseWalMetadata } from '../catalog/wal-entry.ts';
import { OperatorError } from '../lib/errors.ts';
import { nodeHashName } from '../lib/hash-algorithms.ts';
import type { ObjectEntry } from '../storage/object-store.ts';
import { openStoredWal, type ReceiveDeps, receiveWal, type WalSource } from './stored-wal.ts';

/** Digest of the content that is to be archived, by an algorithm of node:crypto. */
export type HashOfOurs = (algorithm: string) => Promise<string>;

interface StoredHash {
  /** As node:crypto names it. */
  readonly algorithm: string;
  readonly hash: string;
}

/** Whether the object holds what we were about to store. Where its metadata has no hash, which only newer versions write, it is fetched. */
export async function sameContent(
  name: string,
  ours: HashOfOurs,
  stored: ObjectEntry,
  source: WalSource,
  deps: ReceiveDeps,
): Promise<boolean> {
  const theirs = hashInMetadata(stored) ?? (await hashOfContent(name, source, deps));
  return (await ours(theirs.algorithm)) === theirs.hash;
}

function hashInMetadata({ metadata }: ObjectEntry): StoredHash | undefined {
  const { hash, hashAlgorithm } = parseWalMetadata(metadata);
  const algorithm = hashAlgorithm === undefined ? undefined : nodeHashName(hashAlgorithm);
  return hash === undefined || algorithm === undefined ? undefined : { algorithm, hash };
}

async function hashOfContent(name: string, source: WalSource, deps: ReceiveDeps): Promise<StoredHash> {
  const opened = await openStoredWal(name, [source], deps.signal);
  if (!opened) {
    throw new OperatorError('store-failed', `${name} vanished from ${source.catalog.store.name} while it was compared`, {
      retryable: true,
    });
  }
  const { path, hash, hashAlgorithm } = await receiveWal(opened, deps);
  await rm(path, { force: true });
  return { algorithm: hashAlgorithm, hash };
}
