import { createHash } from 'node:crypto';
import { type S3StorageOptions, s3StorageOptions } from '../../../src/storage/s3/options.ts';
import { type Answering, HttpStub, type StubAnswer, type StubRequest } from './http-stub.ts';

/** A bucket that keeps whole objects, as far as a driver needs it: for stores and moments that no real server can be brought to. */
export class S3Stub implements AsyncDisposable {
  readonly objects = new Map<string, StubObject>();
  readonly #http: HttpStub;

  private constructor(http: HttpStub) {
    this.#http = http;
  }

  /** `first` may answer in the bucket's place. */
  static async start(first: (request: StubRequest, bucket: S3Stub) => StubAnswer | undefined = () => undefined): Promise<S3Stub> {
    const place: { stub?: S3Stub } = {};
    const answering: Answering = (request) => {
      if (!place.stub) return { status: 500 };
      return first(request, place.stub) ?? place.stub.#answer(request);
    };
    const stub = new S3Stub(await HttpStub.start(answering));
    place.stub = stub;
    return stub;
  }

  get seen(): readonly StubRequest[] {
    return this.#http.seen;
  }

  options(others: Readonly<Record<string, unknown>> = {}): S3StorageOptions {
    const keys = { aws_access_key_id: 'key', aws_secret_access_key: 'secret' };
    return s3StorageOptions.parse({ storage_type: 's3', bucket_name: 'b', host: '127.0.0.1', port: this.#http.port, ...keys, ...others });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#http[Symbol.asyncDispose]();
  }

  #answer(request: StubRequest): StubAnswer {
    const key = decodeURIComponent(request.path.replace(/^\/b\/?/, ''));
    if (request.query.has('uploads'))
      return xml(`<InitiateMultipartUploadResult><UploadId>upload</UploadId></InitiateMultipartUploadResult>`);
    if (request.query.has('partNumber')) return this.#keep(`${key}#${request.query.get('partNumber')}`, request);
    if (request.query.has('uploadId')) return this.#complete(key, request);
    if (request.method === 'PUT') return this.#keep(key, request);
    if (request.method === 'DELETE') return this.#remove(key);
    const object = this.objects.get(key);
    return object ? { headers: object.headers, body: object.body } : s3Error(404, 'NoSuchKey');
  }

  #remove(key: string): StubAnswer {
    this.objects.delete(key);
    return { status: 204 };
  }

  #keep(key: string, { headers, body }: StubRequest): StubAnswer {
    const etag = `"${createHash('md5').update(body).digest('hex')}"`;
    this.objects.set(key, { body, headers: { etag, 'last-modified': 'Mon, 30 Nov 2026 00:00:00 GMT', ...metadataOf(headers) } });
    return { headers: { etag } };
  }

  #complete(key: string, { method }: StubRequest): StubAnswer {
    const parts = [...this.objects.keys()].filter((name) => name.startsWith(`${key}#`)).toSorted();
    const bodies = parts.map((name) => this.objects.get(name)?.body ?? Buffer.alloc(0));
    for (const part of parts) this.objects.delete(part);
    if (method !== 'POST') return { status: 204 };
    const md5s = bodies.map((body) => createHash('md5').update(body).digest());
    const etag = `"${createHash('md5').update(Buffer.concat(md5s)).digest('hex')}-${parts.length}"`;
    this.objects.set(key, { body: Buffer.concat(bodies), headers: { etag, 'last-modified': 'Mon, 30 Nov 2026 00:00:00 GMT' } });
    return xml(`<CompleteMultipartUploadResult><ETag>${etag}</ETag></CompleteMultipartUploadResult>`);
  }
}

export interface StubObject {
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

export function xml(body: string): StubAnswer {
  return { headers: { 'content-type': 'application/xml' }, body: `<?xml version="1.0" encoding="UTF-8"?>${body}` };
}

export function s3Error(status: number, code: string, more = ''): StubAnswer {
  return { ...xml(`<Error><Code>${code}</Code><Message>as the test wants it</Message>${more}</Error>`), status };
}

function metadataOf(headers: StubRequest['headers']): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith('x-amz-meta-')) as [string, string][]);
}
