import type { HeadObjectCommandOutput } from '@aws-sdk/client-s3';
import { OperatorError } from '../../lib/errors.ts';
import type { Metadata, ObjectEntry } from '../object-store.ts';

/** What S3 tells of an object beside its metadata. */
export interface Described {
  readonly entry: ObjectEntry;
  /** Without its quotes: the MD5 sum of most objects, something like it with `-N` at the end of those uploaded in N parts. */
  readonly etag: string | undefined;
  /** Whether the ETag may be something else, as it is where a key of KMS or of the customer encrypts. */
  readonly isOpaque: boolean;
  readonly versionId: string | undefined;
  readonly lockedUntil: Date | undefined;
  readonly isHeld: boolean;
}

type Answer = Pick<
  HeadObjectCommandOutput,
  | 'LastModified'
  | 'Metadata'
  | 'ETag'
  | 'ServerSideEncryption'
  | 'SSECustomerAlgorithm'
  | 'VersionId'
  | 'ObjectLockRetainUntilDate'
  | 'ObjectLockLegalHoldStatus'
>;

const md5Pattern = /^[0-9a-f]{32}$/;

export function describe(key: string, size: number | undefined, answer: Answer, storeName: string): Described {
  const { LastModified: lastModified } = answer;
  if (size === undefined || lastModified === undefined)
    throw new OperatorError('store-unreachable', `${storeName} did not tell size and time of ${key}`, { retryable: true });
  const etag = plainEtag(answer.ETag);
  const metadata = { ...answer.Metadata };
  const digest = etag === undefined || isOpaque(answer) || !md5Pattern.test(etag) ? {} : { digest: etag };
  return {
    entry: { key, size, lastModified, metadata, ...digest },
    etag,
    isOpaque: isOpaque(answer),
    versionId: answer.VersionId,
    lockedUntil: answer.ObjectLockRetainUntilDate,
    isHeld: answer.ObjectLockLegalHoldStatus === 'ON',
  };
}

/** Whether the ETag says nothing about the bytes. */
export function isOpaque(answer: Pick<Answer, 'ServerSideEncryption' | 'SSECustomerAlgorithm'>): boolean {
  return (answer.ServerSideEncryption ?? 'AES256') !== 'AES256' || answer.SSECustomerAlgorithm !== undefined;
}

/** Empty ones are none: Ceph 16 answers so to the end of an upload in parts. */
export function plainEtag(etag: string | undefined): string | undefined {
  return etag?.replaceAll('"', '').toLowerCase() || undefined;
}

/** Values go in HTTP headers, and nobody reads them back the same beyond ASCII. */
export function checkMetadata(metadata: Metadata, key: string): void {
  for (const [name, value] of Object.entries(metadata)) {
    if (/^[\x20-\x7e]*$/.test(value) && /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)) continue;
    throw new OperatorError('metadata-invalid', `${key} cannot be stored in S3: its metadata ${name} is ${JSON.stringify(value)}`, {
      hint: 'S3 keeps metadata in ASCII only. Where it names a tablespace, move that to a path in ASCII, or take base backups in the mode local-tar.',
    });
  }
}
