import { answer, answerJson, type Exchange } from './answer.ts';
import type { Bucket, StoredObject } from './bucket.ts';
import { Refusal } from './refusal.ts';

/** `GET` and `DELETE` of one object, and the listing of all. */
export function handleObject(exchange: Exchange, bucket: Bucket, name: string): void {
  const { response, method, url } = exchange;
  const query = url.searchParams;
  if (method === 'DELETE') {
    bucket.delete(name, query);
    return answer(response, 204);
  }
  if (method !== 'GET') throw new Refusal(405, 'methodNotAllowed', `${method} is not part of this double`);
  const object = bucket.find(name, query.get('generation'));
  if (query.get('alt') === 'media') return answerContent(exchange, object);
  answerJson(response, bucket.resourceOf(object));
}

export function handleList({ response, url }: Exchange, bucket: Bucket): void {
  const { items, nextPageToken } = bucket.list(url.searchParams);
  answerJson(response, {
    kind: 'storage#objects',
    ...(items.length > 0 && { items: items.map((object) => bucket.resourceOf(object)) }),
    ...(nextPageToken !== undefined && { nextPageToken }),
  });
}

function answerContent({ request, response }: Exchange, object: StoredObject): void {
  const { bytes } = object;
  const headers = {
    'content-type': object.contentType,
    'x-goog-generation': object.generation,
    'x-goog-hash': `crc32c=${object.crc32c},md5=${object.md5Hash}`,
    'x-goog-stored-content-length': bytes.length,
    'accept-ranges': 'bytes',
  };
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
  if (from === undefined) return answer(response, 200, bytes, headers);
  const start = Number(from);
  const end = to ? Math.min(Number(to) + 1, bytes.length) : bytes.length;
  if (start >= end)
    return answer(response, 416, 'The requested range cannot be satisfied.', { 'content-range': `bytes */${bytes.length}` });
  const contentRange = { 'content-range': `bytes ${start}-${end - 1}/${bytes.length}` };
  answer(response, 206, bytes.subarray(start, end), { ...headers, ...contentRange });
}
