import { walMetadata } from '../catalog/wal-entry.ts';
import type { CompressionChoice, SealOptions, SealResult } from '../codec/codec-options.ts';
import { type HashAlgorithm, hashAlgorithms } from '../lib/hash-algorithms.ts';
import type { Metadata } from '../storage/object-store.ts';

/** How WAL of a site is stored. */
export interface WalSealing {
  readonly compression: CompressionChoice;
  readonly encryption?: { readonly keyId: string /** PEM. */; readonly publicKey: string };
  readonly hashAlgorithm: HashAlgorithm;
}

export function sealOptionsOf({ compression, encryption, hashAlgorithm }: WalSealing): SealOptions {
  return { compression, plainHash: hashAlgorithms[hashAlgorithm], ...(encryption && { publicKey: encryption.publicKey }) };
}

/** What a sealed WAL file is stored with. */
export function sealedWalMetadata(
  { compression, encryption, hashAlgorithm }: WalSealing,
  { plainBytes, sealedBytes, plainHash }: SealResult,
  about: { readonly host: string; readonly pgVersion: number | undefined },
): Metadata {
  const sizes = { plainBytes, storedBytes: sealedBytes };
  return walMetadata({ compression, ...sizes, ...about, encryptionKeyId: encryption?.keyId, hash: plainHash, hashAlgorithm });
}
