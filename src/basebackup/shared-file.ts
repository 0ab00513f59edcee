import { normaliseMetadata, parseCount } from '../catalog/metadata-fields.ts';
import { parseWalMetadata } from '../catalog/wal-entry.ts';
import type { ObjectEntry } from '../storage/object-store.ts';
import type { SealChoice } from './job.ts';

/**
 * Whether a stored file of an earlier backup can stand for the same content in this one. It must be whole; whoever restores must have its key;
 * and what is to be encrypted must not rest on something that is not. An object that does not fit is never replaced: the manifests of earlier
 * backups state its stored size, and the original's decryption relies on that.
 */
export function isShareable(stored: ObjectEntry, plainBytes: number, seal: SealChoice): boolean {
  const contentLength = parseCount(normaliseMetadata(stored.metadata)['content-length']);
  if (contentLength !== undefined && contentLength !== stored.size) return false;
  const { encryptionKeyId, plainBytes: recorded } = parseWalMetadata(stored.metadata);
  if (recorded !== undefined && recorded !== plainBytes) return false;
  if (encryptionKeyId === undefined) return seal.publicKey === undefined;
  return encryptionKeyId === seal.encryptionKeyId || (seal.knownKeyIds ?? []).includes(encryptionKeyId);
}
