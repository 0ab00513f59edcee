import type { CompressionChoice } from '../../codec/codec-options.ts';
import { sealBytes } from '../../codec/seal-bytes.ts';
import type { Metadata } from '../../storage/object-store.ts';
import { walMetadata } from '../wal-entry.ts';
import { formatWalIndex } from './format-wal-index.ts';
import type { WalIndex } from './wal-index.ts';
import type { WalIndexDocument } from './wal-index-document.ts';
import { formatWalRollup, type WalRollup, type WalRollupDocument } from './wal-rollup.ts';

/** Whatever the segments are compressed with: columns of numbers are what it does well, in a millisecond. */
const compression: CompressionChoice = { algorithm: 'zstd', level: 1 };

/** An index, or what many of them tell together, as it is to be stored. Plain data, so that it can come from a worker. */
export interface SealedWalIndex {
  readonly sealed: Uint8Array;
  readonly plainBytes: number;
}

/** `publicKey`: PEM, where what the site stores is encrypted. */
export function sealWalIndex(index: WalIndex, publicKey: string | undefined): Promise<SealedWalIndex> {
  return sealDocument(formatWalIndex(index), publicKey);
}

export function sealWalRollup(rollup: WalRollup, publicKey: string | undefined): Promise<SealedWalIndex> {
  return sealDocument(formatWalRollup(rollup), publicKey);
}

async function sealDocument(document: WalIndexDocument | WalRollupDocument, publicKey: string | undefined): Promise<SealedWalIndex> {
  const plain = Buffer.from(JSON.stringify(document));
  const sealed = await sealBytes(plain, { compression, ...(publicKey !== undefined && { publicKey }) });
  return { sealed, plainBytes: plain.length };
}

export function walIndexMetadata(
  { sealed, plainBytes }: SealedWalIndex,
  about: { readonly host: string; readonly encryptionKeyId?: string | undefined },
): Metadata {
  return walMetadata({ compression, plainBytes, storedBytes: sealed.length, ...about });
}
