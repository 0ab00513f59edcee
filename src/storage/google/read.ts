import { OperatorError } from '../../lib/errors.ts';
import { cutOut } from '../cut-out.ts';
import type { ByteRange, RequestOptions } from '../object-store.ts';
import { bodyCutShort, objectChanged } from '../store-errors.ts';
import type { StorageApi } from './api.ts';
import { asStoreError, isObjectMissing } from './errors.ts';
import { Crc32c, type ObjectResource, objectPath } from './resource.ts';

export interface Reading extends RequestOptions {
  readonly api: StorageApi;
  readonly bucket: string;
  readonly storeName: string;
  readonly range: ByteRange | undefined;
}

/**
 * The content that belongs to `resource`, asked for once somebody reads it. If the object was replaced meanwhile, that generation is gone: it never
 * gives bytes of another. A whole object is compared with its checksum.
 */
export async function* readObject(resource: ObjectResource, reading: Reading): AsyncGenerator<Uint8Array> {
  const size = Number(resource.size);
  const { start, end } = { start: reading.range?.start ?? 0, end: Math.min(reading.range?.end ?? size, size) };
  reading.signal?.throwIfAborted();
  if (start >= end) return;
  const crc = new Crc32c();
  let length = 0;
  try {
    for await (const piece of await open(resource, { start, end }, reading)) {
      length += piece.length;
      crc.update(piece);
      yield piece;
    }
  } catch (error) {
    reading.signal?.throwIfAborted();
    throw asStoreError(error, { what: `read ${resource.name}`, key: resource.name, storeName: reading.storeName });
  }
  if (length !== end - start) throw bodyCutShort(resource.name, reading.storeName, end - start, length);
  if (length === size && resource.crc32c !== undefined && crc.toString() !== resource.crc32c) throw damaged(resource, reading, crc);
}

async function open({ name, generation, size, contentEncoding }: ObjectResource, { start, end }: ByteRange, reading: Reading) {
  const { api, bucket, storeName, signal } = reading;
  const isWhole = start === 0 && end === Number(size);
  const headers = {
    ...(!isWhole && { range: `bytes=${start}-${end - 1}` }),
    // The store unpacks what others stored packed, unless it is asked for just that.
    ...(contentEncoding === 'gzip' && { 'accept-encoding': 'gzip' }),
  };
  try {
    const { isPartial, bytes } = await api.open({ path: objectPath(bucket, name), query: { alt: 'media', generation }, headers, signal });
    // Something in between may know no ranges.
    return isWhole || isPartial ? bytes : cutOut(bytes, { start, end });
  } catch (error) {
    if (isObjectMissing(error)) throw objectChanged(name, storeName);
    throw error;
  }
}

function damaged({ name, crc32c }: ObjectResource, { storeName }: Reading, crc: Crc32c): OperatorError {
  return new OperatorError('object-corrupt', `${name} of ${storeName} came damaged: its CRC32C is ${crc.toString()} instead of ${crc32c}`, {
    hint: 'Try again: the store keeps a checksum, so the damage most likely happened on the way.',
  });
}
