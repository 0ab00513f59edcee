import { randomBytes } from 'node:crypto';
import { answer, answerJson, bodyOf, type Exchange, jsonOf } from './answer.ts';
import type { Buckets, NewObject, StoredObject } from './bucket.ts';
import { partsOf } from './multipart.ts';
import { Refusal } from './refusal.ts';

/** Chunks of resumable uploads are multiples of this, but for the last one. */
const unitBytes = 256 * 1024;

interface Session {
  readonly bucket: string;
  readonly object: NewObject;
  readonly query: URLSearchParams;
  readonly chunks: Buffer[];
  size: number;
  done?: StoredObject;
}

interface Chunk {
  readonly start: number;
  /** As announced; undefined where the request says nothing of it. */
  readonly length: number | undefined;
  readonly isLast: boolean;
}

/** Uploads of every kind, to the rules of the real service. */
export class Uploads {
  readonly sessions = new Map<string, Session>();
  readonly #buckets: Buckets;

  constructor(buckets: Buckets) {
    this.#buckets = buckets;
  }

  async handle(exchange: Exchange, bucketName: string): Promise<void> {
    const { request, response, url } = exchange;
    const query = url.searchParams;
    const bucket = this.#buckets.find(bucketName);
    const session = query.get('upload_id');
    if (session !== null) return this.#continue(exchange, session);
    const named = (object: NewObject): NewObject => ({ ...object, name: object.name ?? query.get('name') ?? '' });
    switch (query.get('uploadType')) {
      case 'media':
        return answerJson(response, bucket.resourceOf(bucket.put(named({}), await bodyOf(request), query)));
      case 'multipart': {
        const [about, content, ...rest] = partsOf(await bodyOf(request), request.headers['content-type'] ?? '');
        if (!about || !content || rest.length > 0) throw new Refusal(400, 'badRequest', 'Malformed multipart body.');
        if (exchange.isDamaged) content.body.writeUInt8(content.body.readUInt8(0) ^ 1, 0);
        const object = named(JSON.parse(about.body.toString()) as NewObject);
        return answerJson(response, bucket.resourceOf(bucket.put(object, content.body, query)));
      }
      case 'resumable': {
        const object = named(await jsonOf(request));
        bucket.checkGeneration(object.name ?? '', query);
        return this.#begin(exchange, { bucket: bucketName, object, query, chunks: [], size: 0 });
      }
      default:
        throw new Refusal(400, 'badRequest', 'Unknown uploadType');
    }
  }

  #begin({ response, url }: Exchange, session: Session): void {
    const id = `ABg5-${randomBytes(30).toString('base64url')}`;
    this.sessions.set(id, session);
    const location = `${url.origin}${url.pathname}?uploadType=resumable&upload_id=${id}`;
    answer(response, 200, '', { location, 'x-guploader-uploadid': id });
  }

  async #continue(exchange: Exchange, id: string): Promise<void> {
    const { request, response, method } = exchange;
    const session = this.sessions.get(id);
    if (!session) throw new Refusal(404, 'notFound', 'Upload session not found');
    if (method === 'DELETE') {
      this.sessions.delete(id);
      return answer(response, 499);
    }
    if (!session.done) {
      const range = request.headers['content-range'] ?? '';
      const isQuery = range.startsWith('bytes */');
      const isComplete = isQuery ? session.size === Number(range.slice('bytes */'.length)) : await this.#take(exchange, session, range);
      if (!isComplete) return answerIncomplete(exchange, session);
      this.#finish(session, request.headers['x-goog-hash']);
    }
    if (session.done) answerJson(response, this.#buckets.find(session.bucket).resourceOf(session.done));
  }

  /** Says whether that was all of it. A connection that is cut leaves the whole units that had come. */
  async #take({ request, response, cutAfterBytes }: Exchange, session: Session, range: string): Promise<boolean> {
    const { start, length, isLast } = chunkOf(range);
    if (start > session.size) throw new Refusal(503, 'backendError', 'Invalid request. The offset is past the persisted size.');
    const { bytes, isCut } = await bytesUntilCut(request, cutAfterBytes);
    const fresh = bytes.subarray(Math.min(session.size - start, bytes.length));
    const units = Math.max(0, Math.floor((session.size + fresh.length) / unitBytes) * unitBytes - session.size);
    if (isCut || (length !== undefined && bytes.length < length)) {
      keep(session, fresh.subarray(0, units));
      response.destroy();
      return false;
    }
    if (!isLast && fresh.length % unitBytes !== 0) throw unitsWrong(bytes.length);
    keep(session, fresh);
    return isLast;
  }

  #finish(session: Session, hash: string | string[] | undefined): void {
    const bytes = Buffer.concat(session.chunks);
    const wanted = /crc32c=([^,]+)/.exec(String(hash))?.[1];
    const crc32c = wanted ?? session.object.crc32c;
    const object = { ...session.object, ...(crc32c !== undefined && { crc32c }) };
    session.done = this.#buckets.find(session.bucket).put(object, bytes, session.query);
    session.chunks.length = 0;
  }
}

function keep(session: Session, bytes: Buffer): void {
  session.chunks.push(bytes);
  session.size += bytes.length;
}

function chunkOf(range: string): Chunk {
  const [, from, to, total] = /^bytes (\d+)-(\d+)\/(\*|\d+)$/.exec(range) ?? [];
  if (from === undefined) return { start: 0, length: undefined, isLast: true };
  return { start: Number(from), length: Number(to) - Number(from) + 1, isLast: total !== '*' && Number(total) === Number(to) + 1 };
}

async function bytesUntilCut(
  request: AsyncIterable<Buffer>,
  bytesMax = Number.POSITIVE_INFINITY,
): Promise<{ bytes: Buffer; isCut: boolean }> {
  const pieces: Buffer[] = [];
  let length = 0;
  try {
    for await (const piece of request) {
      pieces.push(piece);
      length += piece.length;
      if (length >= bytesMax) throw new Error('cut here');
    }
    return { bytes: Buffer.concat(pieces), isCut: false };
  } catch {
    return { bytes: Buffer.concat(pieces), isCut: true };
  }
}

function answerIncomplete({ response }: Exchange, { size }: Session): void {
  if (!response.destroyed) answer(response, 308, '', size > 0 ? { range: `bytes=0-${size - 1}` } : {});
}

function unitsWrong(bytes: number): Refusal {
  return new Refusal(
    400,
    'badRequest',
    `Invalid request. The number of bytes uploaded is required to be equal or greater than ${unitBytes}, except for the final request. The received request contained ${bytes} bytes.`,
  );
}
