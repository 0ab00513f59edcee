import {
  AbortMultipartUploadCommand,
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandOutput,
  ListObjectsV2Command,
  type MultipartUpload,
} from '@aws-sdk/client-s3';
import { OperatorError } from '../../lib/errors.ts';
import { compareKeys } from '../key-order.ts';
import type { ListOptions, ObjectInfo, UnfinishedOptions } from '../object-store.ts';
import type { Asking, S3Connection } from './connection.ts';
import { s3CodeOf } from './errors.ts';
import { listPageOf } from './middleware.ts';

/** Page by page. Names that end in a slash are what consoles make in place of directories, no objects of ours. */
export async function* listObjects(connection: S3Connection, prefix: string, { after, signal }: ListOptions): AsyncGenerator<ObjectInfo> {
  const what = `list ${prefix === '' ? 'objects' : prefix}`;
  const request = {
    Bucket: connection.bucket,
    Prefix: prefix,
    EncodingType: 'url' as const,
    ...(after !== undefined && { StartAfter: after }),
  };
  for (let token: string | undefined; ; ) {
    const input = { ...request, ...(token !== undefined && { ContinuationToken: token }) };
    await connection.ask({ what, signal }, (client, send) => client.send(new ListObjectsV2Command(input), send));
    const page = listPageOf(input);
    if (!page || (page.isTruncated && (page.nextToken === undefined || page.nextToken === token))) throw noListing(what, connection);
    for (const object of page.objects) {
      if (object.key.endsWith('/') || (after !== undefined && compareKeys(object.key, after) <= 0)) continue;
      signal?.throwIfAborted();
      yield object;
    }
    if (!page.isTruncated) return;
    token = page.nextToken;
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
    // Some stores know neither prefixes nor pages here: what belongs to others must stay.
    for (const upload of page.Uploads ?? []) if (upload.Key?.startsWith(prefix)) yield upload;
    const { NextKeyMarker: KeyMarker, NextUploadIdMarker: UploadIdMarker } = page;
    const isLast = !page.IsTruncated || KeyMarker === undefined;
    if (isLast || (KeyMarker === markers.KeyMarker && UploadIdMarker === markers.UploadIdMarker)) return;
    markers = { KeyMarker, ...(UploadIdMarker !== undefined && { UploadIdMarker }) };
  }
}

function noListing(what: string, { storeName }: S3Connection): OperatorError {
  return new OperatorError('store-unreachable', `cannot ${what}: what answers for ${storeName} gave no listing`, {
    hint: 'Check host, port and proxy_info of object_storage. Does a proxy or a portal answer in its place?',
    retryable: true,
  });
}
