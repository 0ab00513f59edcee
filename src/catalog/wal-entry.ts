import type { CompressionAlgorithm, CompressionChoice } from '../codec/codec-options.ts';
import { OperatorError } from '../lib/errors.ts';
import { isSegmentBytes } from '../postgres/wal-name.ts';
import type { Metadata, ObjectEntry } from '../storage/object-store.ts';
import { isCompressionAlgorithm, metadataOf, normaliseMetadata, parseCount } from './metadata-fields.ts';
import { formatTimestamp } from './timestamp.ts';

export interface WalDescription {
  readonly compression: Pick<CompressionChoice, 'algorithm' | 'level'>;
  readonly plainBytes: number;
  readonly storedBytes: number;
  /** `server_version_num`, such as 150020. */
  readonly pgVersion?: number | undefined;
  readonly encryptionKeyId?: string | undefined;
  readonly host: string;
  /** Lower-case hex digest of the plaintext; the original has it for segments only, not for history files. */
  readonly hash?: string | undefined;
  /** As Python's hashlib names it: `sha1`. */
  readonly hashAlgorithm?: string | undefined;
}

/** What a WAL segment or history file is stored with. */
export function walMetadata(wal: WalDescription): Metadata {
  const fields = {
    'pg-version': wal.pgVersion,
    'compression-algorithm': wal.compression.algorithm,
    'compression-level': wal.compression.level,
    'original-file-size': wal.plainBytes,
    host: wal.host,
    hash: wal.hash,
    'hash-algorithm': wal.hash === undefined ? undefined : wal.hashAlgorithm,
    'encryption-key-id': wal.encryptionKeyId,
    'Content-Length': wal.storedBytes,
  };
  return metadataOf(fields, formatTimestamp);
}

export interface WalEncoding {
  readonly compression?: CompressionAlgorithm;
  readonly encryptionKeyId?: string;
  readonly hash?: string;
  readonly hashAlgorithm?: string;
  readonly plainBytes?: number;
}

/** Of a stored segment; undefined where its metadata does not tell. */
export function segmentBytesIn({ metadata }: ObjectEntry): number | undefined {
  const bytes = parseCount(normaliseMetadata(metadata)['original-file-size']);
  return bytes !== undefined && isSegmentBytes(bytes) ? bytes : undefined;
}

/** How to decode a stored segment, history file or backup part. Rejects an algorithm nobody knows with `object-unreadable`. */
export function parseWalMetadata(metadata: Metadata): WalEncoding {
  const fields = normaliseMetadata(metadata);
  const compression = parseCompression(fields['compression-algorithm']);
  const encryptionKeyId = fields['encryption-key-id'];
  const { hash } = fields;
  const hashAlgorithm = fields['hash-algorithm'];
  const plainBytes = parseCount(fields['original-file-size']);
  return {
    ...(compression === undefined ? {} : { compression }),
    ...(encryptionKeyId ? { encryptionKeyId } : {}),
    ...(hash ? { hash } : {}),
    ...(hashAlgorithm ? { hashAlgorithm } : {}),
    ...(plainBytes === undefined ? {} : { plainBytes }),
  };
}

export function parseCompression(algorithm: string | undefined): CompressionAlgorithm | undefined {
  if (algorithm === undefined || algorithm === '') return undefined;
  if (isCompressionAlgorithm(algorithm)) return algorithm;
  throw new OperatorError('object-unreadable', `unknown compression algorithm ${JSON.stringify(algorithm)} in an object's metadata`, {
    hint: 'It may have been written by a newer version, or its metadata is damaged.',
  });
}
