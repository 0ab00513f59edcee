import type { ObjectEntry } from '../object-store.ts';
import { metadataFromAzure } from './metadata.ts';

/** What the headers of a blob tell. */
interface BlobHeaders {
  readonly contentLength?: number;
  readonly lastModified?: Date;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly contentMD5?: Uint8Array;
  readonly blobContentMD5?: Uint8Array;
}

/** `size`: where the headers are those of a part. */
export function entryFrom(key: string, headers: BlobHeaders, size = headers.contentLength): ObjectEntry {
  const { lastModified, metadata } = headers;
  // Of a part, `Content-MD5` is that of the part.
  const md5 = headers.blobContentMD5 ?? (size === headers.contentLength ? headers.contentMD5 : undefined);
  if (size === undefined || lastModified === undefined) throw new RangeError('the answer lacks Content-Length or Last-Modified');
  return { key, size, lastModified, metadata: metadataFromAzure(metadata), ...(md5 && { digest: Buffer.from(md5).toString('hex') }) };
}
