import type { ObjectLockMode, PutObjectCommandInput } from '@aws-sdk/client-s3';
import type { PartLimits } from '../parts.ts';
import { isOtherStore } from './endpoint.ts';
import type { S3StorageOptions } from './options.ts';

const mebibyte = 1024 * 1024;
const partBytesMin = 5 * mebibyte;
const partBytesDefault = 8 * mebibyte;

/** Up to here one request stores an object, so that a WAL segment of 16 MiB that cannot be compressed is one, too. In memory while it is sent. */
const wholeBytesMax = 20 * mebibyte;

/** What parts that are sent at once may take in memory, as long as two of them fit. */
const partsInMemoryBytes = 32 * mebibyte;
const parallelMax = 3;

/** How objects are to be stored, from the options. */
export interface S3Settings {
  readonly parts: PartLimits;
  /** Objects up to here are sent in one request. */
  readonly wholeBytesMax: number;
  /** Whether what is sent must be hashed for its signature: where there is no TLS around it. */
  readonly signsBodies: boolean;
  /** Amazon's own S3 keeps an object where it is told to only create one; of others we do not know. */
  readonly mayReplace: boolean;
  readonly lock: { readonly days: number; readonly mode: ObjectLockMode } | undefined;
  /** What all objects are stored with. */
  readonly fields: Pick<PutObjectCommandInput, 'ServerSideEncryption' | 'SSEKMSKeyId' | 'StorageClass' | 'Tagging'>;
}

export function s3SettingsOf(options: S3StorageOptions): S3Settings {
  const { segment_size, min_multipart_chunk_size, object_lock_days: days, object_lock_mode } = options;
  const asked = segment_size ?? min_multipart_chunk_size;
  const partBytes = Math.max(partBytesMin, asked ?? partBytesDefault);
  return {
    parts: { partBytes, partBytesMax: 5 * 1024 * mebibyte, partsMax: 10_000 },
    wholeBytesMax: asked === null ? wholeBytesMax : partBytes,
    signsBodies: Boolean(options.host) && !options.is_secure,
    mayReplace: isOtherStore(options),
    lock: days === null ? undefined : { days, mode: object_lock_mode === 'compliance' ? 'COMPLIANCE' : 'GOVERNANCE' },
    fields: fieldsOf(options),
  };
}

/** Parts sent at once: fewer where an object is so large that its parts are. */
export function parallelParts(partBytes: number): number {
  return Math.max(1, Math.min(parallelMax, Math.floor(partsInMemoryBytes / partBytes) - 1));
}

function fieldsOf({ encrypted, sse_kms_key_id, storage_class, object_tags }: S3StorageOptions): S3Settings['fields'] {
  const tags = new URLSearchParams(object_tags).toString();
  return {
    ...(encrypted && { ServerSideEncryption: 'AES256' as const }),
    ...(sse_kms_key_id && { ServerSideEncryption: 'aws:kms' as const, SSEKMSKeyId: sse_kms_key_id }),
    ...(storage_class && { StorageClass: storage_class as NonNullable<PutObjectCommandInput['StorageClass']> }),
    ...(tags !== '' && { Tagging: tags }),
  };
}
