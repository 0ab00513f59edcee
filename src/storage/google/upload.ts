import { randomUUID } from 'node:crypto';
import type { ObjectSource, PutOptions } from '../object-store.ts';
import { wholeSource } from '../parts.ts';
import type { ApiRequest, StorageApi } from './api.ts';
import { isObjectMissing, isOutcomeUnknown } from './errors.ts';
import { Crc32c, type ObjectResource, objectPath, resourceFields } from './resource.ts';

/** Where an object goes, and what is said of it beside its metadata. */
export interface UploadTarget {
  readonly api: StorageApi;
  readonly bucket: string;
  readonly storeName: string;
  readonly key: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly kmsKeyName: string | undefined;
  /** Of a chunk of a resumable upload, in memory while it is sent; a multiple of 256 KiB. */
  readonly chunkBytes: number;
}

/** What the store says it has, and the checksum of what was sent. */
export interface Uploaded {
  readonly stored: ObjectResource;
  readonly checksum: string;
}

export const contentType = 'application/octet-stream';

export function uploadRequest({ bucket, kmsKeyName }: UploadTarget, uploadType: string, options: PutOptions): ApiRequest {
  return {
    method: 'POST',
    path: `/upload/storage/v1/b/${encodeURIComponent(bucket)}/o`,
    query: {
      uploadType,
      kmsKeyName,
      ifGenerationMatch: options.createOnly ? '0' : undefined,
      fields: resourceFields,
    },
    signal: options.signal,
  };
}

/** Metadata and content in one request, with a checksum, so that the store refuses what was damaged on the way. */
export async function uploadInOneRequest(target: UploadTarget, source: ObjectSource, options: PutOptions): Promise<Uploaded> {
  const { api, key, attributes } = target;
  const bytes = await wholeSource(source, key, options.signal);
  const checksum = new Crc32c().update(bytes).toString();
  const resource = { ...attributes, name: key, metadata: options.metadata, crc32c: checksum };
  const boundary = randomUUID();
  const head = `--${boundary}\r\ncontent-type: application/json; charset=UTF-8\r\n\r\n${JSON.stringify(resource)}\r\n--${boundary}\r\ncontent-type: ${contentType}\r\n\r\n`;
  try {
    const stored = await api.json('storage#object', {
      ...uploadRequest(target, 'multipart', options),
      headers: { 'content-type': `multipart/related; boundary=${boundary}` },
      body: [Buffer.from(head), bytes, Buffer.from(`\r\n--${boundary}--\r\n`)],
    });
    return { stored, checksum };
  } catch (error) {
    if (!isOutcomeUnknown(error) || options.signal?.aborted) throw error;
    const stored = await storedAllTheSame(target, options);
    if (stored && isWhatWasSent(stored, source.size, checksum, options)) return { stored, checksum };
    throw error;
  }
}

/** What the store has now. It is asked when the answer to an upload was lost: repeating one that succeeded might meet a lock, or the own object. */
async function storedAllTheSame({ api, bucket, key }: UploadTarget, { signal }: PutOptions): Promise<ObjectResource | undefined> {
  try {
    return await api.json('storage#object', { path: objectPath(bucket, key), query: { fields: resourceFields }, signal });
  } catch (error) {
    if (isObjectMissing(error) || isOutcomeUnknown(error)) return undefined;
    throw error;
  }
}

function isWhatWasSent(stored: ObjectResource, size: number, checksum: string, { metadata }: PutOptions): boolean {
  const isSameContent = Number(stored.size) === size && stored.crc32c === checksum;
  return isSameContent && sortedEntries(stored.metadata ?? {}) === sortedEntries(metadata);
}

function sortedEntries(metadata: Readonly<Record<string, string>>): string {
  return JSON.stringify(Object.entries(metadata).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
