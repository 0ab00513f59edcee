import type { Metadata } from '../object-store.ts';
import type { Described } from './entry.ts';

/** What was sent to be stored. */
export interface Sent {
  readonly key: string;
  readonly size: number;
  /** Which S3 makes of such an object. */
  readonly etag: string;
  readonly metadata: Metadata;
}

const etagPattern = /^[0-9a-f]{32}(-\d+)?$/;

/** How what the store has differs from what was sent, as far as it tells. */
export function differenceOf(found: Described | undefined, sent: Sent): string | undefined {
  if (!found) return 'it is not there';
  const { entry, etag, isOpaque } = found;
  if (entry.size !== sent.size) return `it has ${entry.size} bytes, not ${sent.size}`;
  if (etag === undefined || isOpaque || !isSameKind(etag, sent.etag) || etag === sent.etag) return undefined;
  return `its ETag is ${etag}, not ${sent.etag}`;
}

/** Whether an object is the one that was sent, though nobody said so. Where a key of KMS encrypts, the ETag does not tell: then the metadata must. */
export function isAsSent(found: Described, sent: Sent): boolean {
  const isSameContent = found.isOpaque ? Object.keys(sent.metadata).length > 0 : found.etag === sent.etag;
  return found.entry.size === sent.size && isSameContent && isSameMetadata(found.entry.metadata, sent.metadata);
}

/** Whether an object has the metadata of what was sent, which nobody else's has. Without any, they tell nothing. */
export function hasMetadataOf(found: Described, { metadata }: Sent): boolean {
  return Object.keys(metadata).length > 0 && isSameMetadata(found.entry.metadata, metadata);
}

function isSameKind(one: string, other: string): boolean {
  return etagPattern.test(one) && etagPattern.test(other) && one.slice(32) === other.slice(32);
}

function isSameMetadata(one: Metadata, other: Metadata): boolean {
  return normalised(one) === normalised(other);
}

/** Stores lower the case of names, some turn underscores into hyphens, and headers have no blanks around them. */
function normalised(metadata: Metadata): string {
  return JSON.stringify(
    Object.entries(metadata)
      .map(([name, value]) => [name.toLowerCase().replaceAll('_', '-'), value.trim()])
      .toSorted(([one = ''], [other = '']) => (one < other ? -1 : 1)),
  );
}
