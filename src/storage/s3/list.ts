import {
  AbortMultipartUploadCommand,
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandOutput,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
  type MultipartUpload,
} from '@aws-sdk/client-s3';
import { OperatorError } from '../../lib/errors.ts';
import { compareKeys } from '../key-order.ts';
import type { ListOptions, ObjectInfo, UnfinishedOptions } from '../object-store.ts';
import type { Asking, S3Connection } from './connection.ts';
import { s3CodeOf } from './errors.ts';

/** Page by page. Names that end in a slash are what consoles make in place of directories, no objects of ours. */
export async function* listObjects(connection: S3Connection, prefix: string, { after, signal }: ListOptions): AsyncGenerator<ObjectInfo> {
  const asking: Asking = { what: `list ${prefix === '' ? 'objects' : prefix}`, signal };
  const input = {
    Bucket: connection.bucket,
    Prefix: prefix,
    EncodingType: 'url' as const,
    ...(after !== undefined && { StartAfter: after }),
  };
  for (let token: string | undefined; ; ) {
    const ContinuationToken = token;
    const page: ListObjectsV2CommandOutput = await connection.ask(asking, (client, send) =>
      client.send(new ListObjectsV2Command({ ...input, ...(ContinuationToken !== undefined && { ContinuationToken }) }), send),
    );
    if (page.IsTruncated === undefined) throw noListing(asking, connection);
    for (const object of page.Contents ?? []) {
      const key = decoded(object.Key ?? '', page.EncodingType);
      const { Size: size, LastModified: lastModified } = object;
      if (size === undefined || lastModified === undefined) throw noListing(asking, connection);
      if (key.endsWith('/') || (after !== undefined && compareKeys(key, after) <= 0)) continue;
      signal?.throwIfAborted();
      yield { key, size, lastModified };
    }
    if (!page.IsTruncated) return;
    token = page.NextContinuationToken;
    if (token === undefined || token === ContinuationToken) throw noListing(asking, connection);
  }
}

/** Uploads in parts that were begun before a moment and neither finished nor given up. Resolves to how many were removed. */
export async function removeUnfinished(connection: S3Connection, prefix: string, options: UnfinishedOptions): Promise<number> {
  let removed = 0;
  for await (const { Key, UploadId, Initiated } of unfinishedUploads(connection, prefix, options.signal)) {
    if (Key === undefined || UploadId === undefined || Initiated === undefined || Initiated >= options.before) continue;
    const asking: Asking = { what: `remove an unfinished upload of ${Key}`, key: Key, signal: options.signal };
    const input = { Bucket: connection.bucket, Key, UploadId };
    try {
      await connection.askPlainly(options.signal, (client, send) => client.send(new AbortMultipartUploadCommand(input), send));
      removed++;
    } catch (error) {
      if (s3CodeOf(error) !== 'NoSuchUpload') throw connection.explain(error, asking);
    }
  }
  return removed;
}

/** Keys come as they are: Ceph would encode them, but not say so. */
async function* unfinishedUploads(
  connection: S3Connection,
  prefix: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<MultipartUpload> {
  const asking: Asking = { what: 'list unfinished uploads', signal };
  for (let markers: { KeyMarker?: string; UploadIdMarker?: string } = {}; ; ) {
    const input = { Bucket: connection.bucket, Prefix: prefix, ...markers };
    const page: ListMultipartUploadsCommandOutput = await connection.ask(asking, (client, send) =>
      client.send(new ListMultipartUploadsCommand(input), send),
    );
    yield* page.Uploads ?? [];
    if (!page.IsTruncated || page.NextKeyMarker === undefined) return;
    const UploadIdMarker = page.NextUploadIdMarker;
    markers = { KeyMarker: page.NextKeyMarker, ...(UploadIdMarker !== undefined && { UploadIdMarker }) };
  }
}

/** Keys come encoded, since XML cannot hold all characters; but only where the store says that it did so. */
function decoded(key: string, encoding: string | undefined): string {
  return encoding === 'url' && /[%+]/.test(key) ? decodeURIComponent(key.replaceAll('+', ' ')) : key;
}

function noListing({ what }: Asking, { storeName }: S3Connection): OperatorError {
  return new OperatorError('store-unreachable', `cannot ${what}: what answers for ${storeName} gave no listing`, {
    hint: 'Check host, port and proxy_info of object_storage. Does a proxy or a portal answer in its place?',
    retryable: true,
  });
}
